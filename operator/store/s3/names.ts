/**
 * Keys as names of S3 objects: readable, reversible, and nothing that XML stumbles over. Control characters and `!` become
 * `!` and two hexadecimal digits; all else stands as it is.
 */
import { AmbientError } from '../../../common/errors.ts';

/** Bytes, as S3 has it. */
const NAME_MAX = 1024;
const ENCODED = /[\0-\x1f!]/g;
const OUT_OF_ORDER = /[\0-!]/;

/** The name of an object. Throws invalid_request. */
export function nameOf(prefix: string, key: string): string {
  const name = prefix + checked(key).replace(ENCODED, hex);
  if (Buffer.byteLength(name) > NAME_MAX)
    throw new AmbientError('invalid_request', `a key of ${Buffer.byteLength(key)} bytes is too long`);
  return name;
}

/** What all names below a prefix begin with; '' is the whole store. Throws invalid_request. */
export function folderName(prefix: string, folder: string): string {
  if (folder === '') return prefix;
  if (!folder.endsWith('/')) throw new AmbientError('invalid_request', 'a prefix ends with /');
  return `${nameOf(prefix, folder.slice(0, -1))}/`;
}

export const keyOf = (prefix: string, name: string): string =>
  name
    .slice(prefix.length)
    .replace(/!([0-9A-F]{2})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 16)));

/**
 * The greatest name that is certainly not after any object with a greater key: the key itself, but cut before the first
 * character whose place in the order its encoding has changed, or its neighbours' encoding has.
 */
export function startAfter(prefix: string, key: string): string {
  const end = key.search(OUT_OF_ORDER);
  return prefix + (end < 0 ? key : key.slice(0, end));
}

function checked(key: string): string {
  if (!key.isWellFormed())
    throw new AmbientError('invalid_request', 'a key cannot contain half of a surrogate pair');
  // What begins with a dot at the top is the store's own.
  if (key.startsWith('.')) throw new AmbientError('invalid_request', 'a key does not begin with a dot');
  for (const segment of key.split('/')) {
    if (segment === '') throw new AmbientError('invalid_request', 'a key has no empty segment');
    if (segment === '.' || segment === '..')
      throw new AmbientError('invalid_request', `a key has no segment ${segment}`);
  }
  return key;
}

const hex = (character: string): string =>
  `!${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
