/**
 * A payload cut down to what fits into an object: long texts end in an ellipsis, long lists early, and what lies too deep is
 * left out. Cut more and more until it fits. Pure data in, pure data out, whatever the names of the fields are.
 */
import { shorten } from '../conditions.ts';

/** Bytes of the JSON of what goes into spec.trigger.payload. */
export const EXCERPT_BYTES_MAX = 32 * 1024;

interface Cut {
  text: number;
  items: number;
  fields: number;
  depth: number;
}

/** The first loses nothing of usual events. The last fits in any case: 20 fields of 60 characters. */
const CUTS: readonly Cut[] = [
  { text: 8192, items: 100, fields: 200, depth: 12 },
  { text: 2048, items: 30, fields: 100, depth: 8 },
  { text: 512, items: 10, fields: 60, depth: 6 },
  { text: 200, items: 5, fields: 40, depth: 4 },
  { text: 100, items: 3, fields: 30, depth: 3 },
  { text: 60, items: 2, fields: 20, depth: 1 },
];

export interface Excerpt {
  payload: Record<string, unknown>;
  isWhole: boolean;
}

/** What is no object is the field `value` of one. */
export function excerptOf(payload: unknown): Excerpt {
  const whole = isRecord(payload) ? payload : { value: payload };
  for (const cut of CUTS) {
    const state = { isWhole: true };
    const copy = copyOf(whole, cut, cut.depth, state);
    if (isRecord(copy) && Buffer.byteLength(JSON.stringify(copy)) <= EXCERPT_BYTES_MAX)
      return { payload: copy, isWhole: state.isWhole };
  }
  return { payload: {}, isWhole: false };
}

function copyOf(value: unknown, cut: Cut, depth: number, state: { isWhole: boolean }): unknown {
  if (typeof value === 'string') {
    if (value.length > cut.text) state.isWhole = false;
    return shorten(value, cut.text).toWellFormed();
  }
  if (typeof value !== 'object' || value === null) return value;
  if (depth === 0) {
    state.isWhole = false;
    return Array.isArray(value) ? [] : {};
  }
  if (Array.isArray(value)) {
    if (value.length > cut.items) state.isWhole = false;
    return value.slice(0, cut.items).map((item) => copyOf(item, cut, depth - 1, state));
  }
  const fields = Object.entries(value);
  if (fields.length > cut.fields) state.isWhole = false;
  const kept = fields.slice(0, cut.fields).flatMap(([name, field]): [string, unknown][] => {
    // A longer name is nobody's field.
    if (name.length > cut.text) state.isWhole = false;
    return name.length > cut.text ? [] : [[name.toWellFormed(), copyOf(field, cut, depth - 1, state)]];
  });
  // As own fields, one named __proto__ too.
  return Object.fromEntries(kept);
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
