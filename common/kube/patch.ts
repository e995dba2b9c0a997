/** Patches: RFC 7386 merge patches made by comparison, and the operations of RFC 6902. */

export type JsonPatchOperation =
  | { op: 'add' | 'replace' | 'test'; path: string; value: unknown }
  | { op: 'remove'; path: string }
  | { op: 'move' | 'copy'; from: string; path: string };

/** One segment of a JSON pointer (RFC 6901 §3). */
export const escapeJsonPointer = (segment: string): string =>
  segment.replaceAll('~', '~0').replaceAll('/', '~1');

type Plain = Record<string, unknown>;

const isPlain = (value: unknown): value is Plain =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * The merge patch that turns `before` into `after`; undefined when nothing changed. Lists are replaced whole, as the
 * RFC has it. A property that is undefined counts as absent. A null in `after` cannot be expressed and means removal.
 */
export function mergePatchOf(before: object, after: object): Record<string, unknown> | undefined {
  const patch = difference(before as Plain, after as Plain);
  return Object.keys(patch).length === 0 ? undefined : patch;
}

function difference(before: Plain, after: Plain): Plain {
  const patch: Plain = {};
  for (const [key, value] of Object.entries(after)) {
    const old = Object.hasOwn(before, key) ? before[key] : undefined;
    if (value === undefined || value === null) {
      if (old !== undefined && old !== null) assign(patch, key, null);
    } else if (isPlain(value) && isPlain(old)) {
      const inner = difference(old, value);
      if (Object.keys(inner).length > 0) assign(patch, key, inner);
    } else if (!sameJson(old, value)) {
      assign(patch, key, value);
    }
  }
  for (const [key, old] of Object.entries(before)) {
    if (old !== undefined && old !== null && !Object.hasOwn(after, key)) assign(patch, key, null);
  }
  return patch;
}

/** `__proto__` is an ordinary key in JSON; plain assignment would set the prototype instead. */
function assign(target: Plain, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  } else {
    target[key] = value;
  }
}

/** Equality of two values as JSON: order of keys is irrelevant, undefined properties do not exist. */
export function sameJson(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (Array.isArray(left) || Array.isArray(right)) {
    return (
      Array.isArray(left) &&
      Array.isArray(right) &&
      left.length === right.length &&
      left.every((each, index) => sameJson(each, right[index]))
    );
  }
  if (!isPlain(left) || !isPlain(right)) return false;
  for (const [key, value] of Object.entries(left)) {
    if (!sameJson(value, Object.hasOwn(right, key) ? right[key] : undefined)) return false;
  }
  return Object.entries(right).every(([key, value]) => value === undefined || Object.hasOwn(left, key));
}
