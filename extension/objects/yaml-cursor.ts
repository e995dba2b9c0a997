/** Where in an object's YAML the cursor stands, and what may be written there. Pure; also in text that is half written. */
import { isMap, isPair, isScalar, isSeq, parseDocument, visit } from 'yaml';
import type { Document, Node } from 'yaml';
import type { YamlPath } from '../ide/yaml-place.ts';
import { describe, knownKeys, schemaAt, valuesOf } from './schema.ts';
import type { Schema } from './schema.ts';

export interface Offer {
  label: string;
  insert: string;
  kind: 'key' | 'value';
  /** Markdown. */
  documentation: string;
}

export interface Offers {
  offers: Offer[];
  /** Offset where the word begins that an offer replaces; it ends at the cursor. */
  from: number;
}

export interface Told {
  /** Markdown. */
  text: string;
  from: number;
  to: number;
}

const MARK = '__cursor__';

/** What may stand at the cursor: fields that are not there yet, or values. */
export function offersAt(root: Schema, text: string, offset: number): Offers {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const before = text.slice(start, offset);
  const end = text.indexOf('\n', offset);
  const after = text.slice(end < 0 ? text.length : end);
  const [, lead = '', word = ''] = /^(\s*(?:- +)*)([\w.]*)$/.exec(before) ?? [];
  const isKey = /^\s*(?:- +)*[\w.]*$/.test(before);
  if (isKey) {
    // Written as a field, the text stays valid however little of it there is.
    const marked = `${text.slice(0, start)}${lead}${MARK}:${after}`;
    return { offers: keyOffers(root, marked), from: offset - word.length };
  }
  const [, field = '', value = ''] = /^(\s*(?:- +)*[\w.]+: +)(["'\w.-]*)$/.exec(before) ?? [];
  if (field === '') return { offers: [], from: offset };
  const marked = `${text.slice(0, start)}${field}${MARK}${after}`;
  return { offers: valueOffers(root, marked), from: offset - value.length };
}

function keyOffers(root: Schema, marked: string): Offer[] {
  const document = parseDocument(marked, { keepSourceTokens: false });
  const place = placeOf(document, MARK);
  if (place === undefined) return [];
  const { path, siblings } = place;
  const parent = schemaAt(root, path);
  if (parent === undefined) return [];
  // `- x` in a list of texts was marked as a field: what may stand there is a value.
  if (parent.type !== 'object') return listValues(parent);
  return (knownKeys(parent) ?? [])
    .filter((name) => !siblings.includes(name))
    .map((name) => {
      const schema = parent.properties?.[name] ?? {};
      return {
        label: name,
        insert: name + startOf(schema),
        kind: 'key',
        documentation: describe(name, schema),
      };
    });
}

/** What follows a field's name: the value goes on the same line, or below. */
function startOf({ type }: Schema): string {
  switch (type) {
    case 'object':
      return ':\n  ';
    case 'array':
      return ':\n  - ';
    default:
      return ': ';
  }
}

const listValues = (schema: Schema): Offer[] =>
  valuesOf(schema).map((value) => ({ label: value, insert: value, kind: 'value', documentation: '' }));

function valueOffers(root: Schema, marked: string): Offer[] {
  const place = placeOf(parseDocument(marked), MARK);
  const schema = place === undefined ? undefined : schemaAt(root, place.path);
  return schema === undefined ? [] : listValues(schema);
}

interface PlaceInYaml {
  /** Of the map in which the mark is a key, or of the scalar that it is. */
  path: YamlPath;
  siblings: string[];
}

function placeOf(document: Document, mark: string): PlaceInYaml | undefined {
  let found: PlaceInYaml | undefined;
  visit(document, {
    Scalar(key, node, ancestors) {
      if (node.value !== mark) return undefined;
      const path = pathOf(ancestors, key === 'key' ? undefined : node);
      const map = ancestors.findLast(isMap);
      const siblings =
        key === 'key' && map !== undefined
          ? map.items.flatMap((pair) => (isScalar(pair.key) ? [String(pair.key.value)] : []))
          : [];
      found = { path: withoutMark(path), siblings };
      return visit.BREAK;
    },
  });
  return found;
}

/** A mark in a list is a map of its own there; its place is the item. */
const withoutMark = (path: YamlPath): YamlPath => path.filter((step) => step !== MARK);

/** From the document down to what the last of the ancestors holds. */
function pathOf(ancestors: readonly unknown[], leaf: Node | undefined): (string | number)[] {
  const path: (string | number)[] = [];
  for (const [index, ancestor] of ancestors.entries()) {
    if (isPair(ancestor) && isScalar(ancestor.key)) path.push(String(ancestor.key.value));
    if (isSeq(ancestor)) path.push(ancestor.items.indexOf(ancestors[index + 1] ?? leaf));
  }
  return path;
}

/** What the field or value under the cursor means; undefined where there is nothing to tell. */
export function toldAt(root: Schema, text: string, offset: number): Told | undefined {
  let told: Told | undefined;
  visit(parseDocument(text), {
    Pair(_, pair, ancestors) {
      const range = isScalar(pair.key) ? pair.key.range : undefined;
      if (!isScalar(pair.key) || !range || offset < range[0] || offset > range[1]) return undefined;
      const name = String(pair.key.value);
      const schema = schemaAt(root, [...pathOf([...ancestors, pair], undefined)]);
      if (schema !== undefined) told = { text: describe(name, schema), from: range[0], to: range[1] };
      return visit.BREAK;
    },
  });
  return told;
}
