/**
 * JSON that means one thing to everybody: a field that stands there twice would be one value here and another elsewhere, what no
 * text or number can hold would be something else where it arrives, and what is nested without end breaks whoever walks through it.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { AmbientError } from '../../../common/errors.ts';
import { decodeUtf8 } from '../http/body.ts';

/** More than any configuration of a framework has. */
export const DEPTH_MAX = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Undefined for an empty body. @throws AmbientError `invalid_request`, `unsupported_media_type` */
export function parseBody(body: Buffer, headers: IncomingHttpHeaders): unknown {
  const { 'content-type': type = '', 'content-encoding': packed = 'identity' } = headers;
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(type)?.[1] ?? 'utf-8';
  // Read as if it were plain UTF-8 it would be another request.
  if (packed.trim().toLowerCase() !== 'identity' || !/^utf-?8$/i.test(charset))
    throw new AmbientError(
      'unsupported_media_type',
      'the body must be application/json in UTF-8, not packed',
    );
  return parseJson(decodeUtf8(body));
}

/** Undefined for an empty text. @throws AmbientError `invalid_request` */
export function parseJson(text: string): unknown {
  if (text.trim() === '') return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AmbientError('invalid_request', 'the body is not JSON', { cause });
  }
  checkJson(text);
  checkValue(value);
  return value;
}

/** Of JSON that is not nested too deep. The API server would make U+FFFD of half a character, and null of what is infinite. */
function checkValue(value: unknown): void {
  if (typeof value === 'string' && !value.isWellFormed())
    throw new AmbientError('invalid_request', 'the body has half of a surrogate pair, which is no character');
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new AmbientError('invalid_request', 'the body has a number that is too large for anybody to read');
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) for (const key of Object.keys(value)) checkValue(key);
  for (const each of Object.values(value)) checkValue(each);
}

/** @throws AmbientError `invalid_request` for JSON, as JSON.parse takes it, with a doubled or dangerous field, or too deep */
export function checkJson(text: string): void {
  /** The fields of each object that is open; undefined for a list. */
  const open: (Set<string> | undefined)[] = [];
  let isKey = false;
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '{':
      case '[':
        isKey = text[at] === '{';
        open.push(isKey ? new Set() : undefined);
        if (open.length > DEPTH_MAX)
          throw new AmbientError('invalid_request', `the body is nested deeper than ${DEPTH_MAX} levels`);
        break;
      case '}':
      case ']':
        open.pop();
        isKey = false;
        break;
      case ',':
        isKey = open.at(-1) !== undefined;
        break;
      case '"': {
        const end = endOf(text, at);
        const fields = open.at(-1);
        if (isKey && fields !== undefined) {
          const key = JSON.parse(text.slice(at, end + 1)) as string;
          if (fields.has(key))
            throw new AmbientError(
              'invalid_request',
              `the field ${JSON.stringify(key.slice(0, 100))} stands there twice`,
            );
          // Copied without care it would become what its object inherits from.
          if (key === '__proto__')
            throw new AmbientError('invalid_request', 'no field may be named __proto__');
          fields.add(key);
        }
        isKey = false;
        at = end;
        break;
      }
      default:
    }
  }
}

/** Where the string that begins there ends. */
function endOf(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) return at;
    if (unit === BACKSLASH) at++;
  }
  return text.length;
}
