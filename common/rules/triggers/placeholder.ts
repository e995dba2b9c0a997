/**
 * Placeholders in the strings of a trigger's session: `{{event.title}}`, `{{payload.pull_request.head.sha}}`,
 * `{{payload.commits[0].id}}`. `{{"…"}}` is the text between the quotes, for whoever needs braces. Anything else in braces is a
 * mistake and is told, as a typing error that stays in a prompt would only be noticed by the agent.
 */
import { shorten } from '../conditions.ts';
import { formatList, oneLine } from '../wording.ts';
import { EVENT_FIELDS } from './event.ts';
import type { EventField, TriggerEvent } from './event.ts';

export type Placeholder =
  | { root: 'event'; field: EventField; text: string }
  | { root: 'payload'; path: readonly string[]; text: string };

export type Part =
  | { kind: 'literal'; text: string }
  | { kind: 'placeholder'; placeholder: Placeholder }
  | { kind: 'mistake'; message: string };

/** Deepest path into a payload. */
const PATH_MAX = 20;
const IN_BRACES = /\{\{\s*(?:"([^"]*)"|([^{}"]*))\s*\}\}/y;
const STEP = /\.([A-Za-z0-9_$-]+)|\[([0-9]{1,6})\]/y;

/** The parts of a template, in order. Linear in its length. */
export function partsOf(template: string): Part[] {
  const parts: Part[] = [];
  for (let from = 0; from < template.length;) {
    const open = template.indexOf('{{', from);
    if (open > from || open === -1)
      parts.push({ kind: 'literal', text: template.slice(from, open === -1 ? template.length : open) });
    if (open === -1) break;
    IN_BRACES.lastIndex = open;
    const found = IN_BRACES.exec(template);
    if (found === null) {
      const shown = quoted(template.slice(open, open + 60));
      parts.push({ kind: 'mistake', message: `${shown} is no placeholder. ${KNOWN}` });
      from = open + 2;
      continue;
    }
    const [whole, literal, name] = found;
    parts.push(literal === undefined ? named(name?.trim() ?? '') : { kind: 'literal', text: literal });
    from = open + whole.length;
  }
  return parts;
}

export const holdsPlaceholder = (template: string): boolean =>
  template.includes('{{') && partsOf(template).some(({ kind }) => kind !== 'literal');

const KNOWN = `Write {{event.NAME}} with one of ${formatList(EVENT_FIELDS)}, or {{payload.PATH}}; {{"{{"}} is two braces.`;
const quoted = (text: string): string => JSON.stringify(shorten(oneLine(text), 60));

function named(text: string): Part {
  const mistake = (message: string): Part => ({ kind: 'mistake', message });
  const root = /^[a-z]*/.exec(text)?.[0];
  if (root !== 'event' && root !== 'payload')
    return mistake(`there is no placeholder ${quoted(text)}. ${KNOWN}`);
  const path: string[] = [];
  STEP.lastIndex = root.length;
  while (STEP.lastIndex < text.length) {
    const step = STEP.exec(text);
    const name = step?.[1] ?? step?.[2];
    if (name === undefined) return mistake(`${quoted(text)} is no path. Write it as payload.commits[0].id.`);
    path.push(name);
  }
  if (path.length > PATH_MAX)
    return mistake(`${quoted(text)} goes deeper than ${PATH_MAX} names, which no sender does.`);
  if (root === 'payload') return { kind: 'placeholder', placeholder: { root, path, text } };
  const [name = '', ...rest] = path;
  const field = EVENT_FIELDS.find((each) => each === name);
  if (field === undefined || rest.length > 0)
    return mistake(`an event has no ${quoted(path.join('.'))}. It has: ${formatList(EVENT_FIELDS)}.`);
  return { kind: 'placeholder', placeholder: { root, field, text } };
}

/** What stands at a placeholder's place in an event, as text; undefined where there is nothing. Never throws. */
export function valueOf(
  placeholder: Placeholder,
  { event, payload }: { event: TriggerEvent; payload: unknown },
): string | undefined {
  if (placeholder.root === 'event') return textOf(event[placeholder.field]);
  let found = payload;
  for (const name of placeholder.path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined;
    found = (found as Record<string, unknown>)[name];
  }
  return textOf(found);
}

function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value) && value.every((each) => typeof each === 'string' || typeof each === 'number'))
    return value.join(', ');
  try {
    // A value that JSON has no text for comes to undefined.
    return JSON.stringify(value, undefined, 2);
  } catch {
    return undefined;
  }
}
