/** Keys as paths of the directory store: reversible, safe for every file system, never outside the root, in which a key may be a prefix of another. */
import { AmbientError } from '../../common/errors.ts';

/**
 * Bytes of one path component. File systems take 255; some layers (encryption, overlays) less. A longer segment goes on
 * in a folder below, whose name ends with the mark that no encoded segment can contain alone.
 */
const COMPONENT_MAX = 140;
const CONTINUED = '%';
/** Ends the name of a file that holds an object, so that the keys `a` and `a/b` can both exist. */
const OBJECT = '@';
/** Linux takes 4096 with the terminating zero; the root needs room too. */
const PATH_MAX = 3584;

/** Letters differ from their kind only by case on some volumes, and Unicode is normalised by others: ASCII alone is safe. */
const PLAIN = /^[A-Za-z0-9_.-]$/;

/** Components of a folder (a prefix ending with /, or '' for the root). Throws invalid_request. */
export function folderPath(prefix: string): string[] {
  if (prefix === '') return [];
  if (!prefix.endsWith('/')) throw new AmbientError('invalid_request', 'a prefix ends with /');
  return checked(prefix.slice(0, -1).split('/').flatMap(components), prefix);
}

/** Components of the file of one object. Throws invalid_request. */
export function objectPath(key: string): string[] {
  const path = key.split('/').flatMap(components);
  path.push(`${path.pop() ?? ''}${OBJECT}`);
  return checked(path, key);
}

export type Entry =
  | { kind: 'object' | 'folder'; text: string }
  /** The beginning of a long segment, which goes on inside. */
  | { kind: 'continued'; text: string }
  /** Not ours: temporary, or put there by somebody else. */
  | { kind: 'other' };

/** What a directory entry's name stands for. */
export function parseEntry(name: string, isDirectory: boolean): Entry {
  if (name.startsWith('.')) return { kind: 'other' };
  try {
    if (!isDirectory) {
      return name.endsWith(OBJECT)
        ? { kind: 'object', text: decodeURIComponent(name.slice(0, -1)) }
        : { kind: 'other' };
    }
    return name.endsWith(CONTINUED)
      ? { kind: 'continued', text: decodeURIComponent(name.slice(0, -1)) }
      : { kind: 'folder', text: decodeURIComponent(name) };
  } catch {
    return { kind: 'other' };
  }
}

function components(segment: string): string[] {
  if (segment === '') throw new AmbientError('invalid_request', 'a key has no empty segment');
  if (!segment.isWellFormed()) {
    throw new AmbientError('invalid_request', 'a key cannot contain half of a surrogate pair');
  }
  const parts: string[] = [];
  let part = '';
  for (const character of segment) {
    const encoded = encode(character, part === '' && parts.length === 0);
    if (part.length + encoded.length > COMPONENT_MAX) {
      parts.push(`${part}${CONTINUED}`);
      part = '';
    }
    // A part that goes on with a dot must not begin with it: such names are for temporary files.
    part += part === '' ? encode(character, true) : encoded;
  }
  parts.push(part);
  return parts;
}

function encode(character: string, isFirst: boolean): string {
  if (PLAIN.test(character) && !(isFirst && character === '.')) return character;
  let text = '';
  for (const byte of Buffer.from(character, 'utf8'))
    text += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  return text;
}

function checked(path: string[], key: string): string[] {
  if (path.reduce((sum, part) => sum + part.length + 1, 0) > PATH_MAX) {
    throw new AmbientError('invalid_request', `a key of ${Buffer.byteLength(key)} bytes is too long`);
  }
  return path;
}
