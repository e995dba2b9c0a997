/**
 * JSON that means one thing to everybody: a field that stands there twice would be one value here and another elsewhere, and what
 * is nested without end breaks whoever walks through it.
 */
import { AmbientError } from '../../../common/errors.ts';

/** More than any configuration of a framework has. */
export const DEPTH_MAX = 64;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

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
  return value;
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
