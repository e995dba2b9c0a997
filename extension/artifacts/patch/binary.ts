/** Git's binary patches: base85 of deflated bytes, the whole content or a delta against the old one. gitformat-pack(5), base85.c. */
import { createHash } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import { AmbientError, messageOf } from '../../../common/errors.ts';

export interface BinaryBlock {
  kind: 'literal' | 'delta';
  /** Bytes of the inflated content or delta. */
  size: number;
  lines: string[];
}

/** What one binary file of a patch may hold: it is worked on in memory. */
export const BINARY_BYTES_MAX = 64 * 1024 * 1024;

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~';
const VALUES = new Map(Array.from(ALPHABET, (character, value) => [character, value]));

/** The new content, from the old one. Throws invalid_request for damaged data. */
export function applyBinary(block: BinaryBlock, before: Buffer): Buffer {
  if (block.size > BINARY_BYTES_MAX) throw damaged('it is too large');
  const bytes = inflate(decodeBase85(block.lines), block.size);
  return block.kind === 'literal' ? bytes : applyDelta(bytes, before);
}

/** Git's name for a content: SHA-1, or SHA-256 where `like`, an id of the same repository, is as long. */
export function objectId(content: Buffer, like: string): string {
  return createHash(like.length > 40 ? 'sha256' : 'sha1')
    .update(`blob ${content.length}\0`)
    .update(content)
    .digest('hex');
}

function inflate(deflated: Buffer, size: number): Buffer {
  let bytes: Buffer;
  try {
    // One byte more than announced is enough to tell.
    bytes = inflateSync(deflated, { maxOutputLength: size + 1 });
  } catch (error) {
    throw damaged(messageOf(error));
  }
  if (bytes.length !== size) throw damaged(`${bytes.length} bytes instead of ${size}`);
  return bytes;
}

function decodeBase85(lines: readonly string[]): Buffer {
  const parts = lines.map((line) => {
    const mark = line.charCodeAt(0);
    // A to Z are 1 to 26 bytes on the line, a to z 27 to 52.
    const length = mark >= 97 ? mark - 96 + 26 : mark - 64;
    const groups = Math.ceil(length / 4);
    if (!/^[A-Za-z]/.test(line) || line.length !== 1 + groups * 5) throw damaged('a line of odd length');
    const bytes = Buffer.alloc(groups * 4);
    for (let group = 0; group < groups; group += 1) {
      let value = 0;
      for (let i = 0; i < 5; i += 1) {
        const digit = VALUES.get(line.charAt(1 + group * 5 + i));
        if (digit === undefined) throw damaged('a character that is not base85');
        value = value * 85 + digit;
      }
      if (value > 0xffffffff) throw damaged('a number that is too large');
      bytes.writeUInt32BE(value, group * 4);
    }
    return bytes.subarray(0, length);
  });
  return Buffer.concat(parts);
}

/** https://git-scm.com/docs/gitformat-pack#_deltified_representation */
function applyDelta(delta: Buffer, before: Buffer): Buffer {
  let at = 0;
  const next = (): number => {
    const byte = delta[at];
    if (byte === undefined) throw damaged('the delta ends early');
    at += 1;
    return byte;
  };
  const size = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = next();
      value += (byte & 0x7f) * factor;
      if ((byte & 0x80) === 0) return value;
    }
  };
  if (size() !== before.length) throw damaged('the delta is for another content');
  const target = size();
  if (target > BINARY_BYTES_MAX) throw damaged('it is too large');
  const after = Buffer.alloc(target);
  let written = 0;
  const put = (bytes: Buffer, length: number): void => {
    if (bytes.length !== length || written + length > target) throw damaged('the delta leads astray');
    written += bytes.copy(after, written);
  };
  while (at < delta.length) {
    const code = next();
    if ((code & 0x80) === 0) {
      if (code === 0) throw damaged('an unknown instruction');
      put(delta.subarray(at, at + code), code);
      at += code;
      continue;
    }
    let offset = 0;
    for (let i = 0; i < 4; i += 1) if (code & (1 << i)) offset += next() * 2 ** (8 * i);
    let length = 0;
    for (let i = 0; i < 3; i += 1) if (code & (1 << (4 + i))) length += next() * 2 ** (8 * i);
    if (length === 0) length = 0x10000;
    put(before.subarray(offset, offset + length), length);
  }
  if (written !== target) throw damaged('the delta ends early');
  return after;
}

const damaged = (what: string): AmbientError =>
  new AmbientError('invalid_request', `the binary content in the patch is damaged: ${what}`);
