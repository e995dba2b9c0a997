/** Reading what a provider or an agent has written: own properties only, and nothing that is no number of tokens counts. */
import { at, listAt, textAt } from '../triggers/read.ts';
import { RequestProblem } from './protocol.ts';

export { at, listAt, textAt };

/** A number of tokens; undefined where there is none. */
export function tokensAt(value: unknown, ...names: (string | number)[]): number | undefined {
  const found = at(value, ...names);
  return typeof found === 'number' && Number.isSafeInteger(found) && found >= 0 ? found : undefined;
}

export const bytesOf = (text: unknown): number =>
  typeof text === 'string' ? new TextEncoder().encode(text).length : 0;

/** Throws RequestProblem. */
export function modelAt(body: unknown): string {
  const model = textAt(body, 'model');
  if (model === undefined || model.length > 253) throw new RequestProblem('the request names no model');
  return model;
}

/** A limit that is asked for; undefined where none is. Throws RequestProblem. */
export function limitAt(body: unknown, ...names: string[]): number | undefined {
  const found = at(body, ...names);
  if (found === undefined || found === null) return undefined;
  const limit = tokensAt(found);
  if (limit === undefined) throw new RequestProblem(`${names.join('.')} is no number of tokens`);
  return limit;
}

/** `name: value` where the field is there and none of those that cost what the price list says. */
export function surcharge(body: unknown, name: string, usual: readonly string[]): string[] {
  const found = at(body, name);
  if (found === undefined || found === null) return [];
  return typeof found === 'string' && usual.includes(found)
    ? []
    : [`${name}: ${(JSON.stringify(found) ?? '').slice(0, 60)}`];
}

/** Deeper than anything that is meant. */
const DEPTH_MAX = 64;

/** Calls back with every object inside. Throws RequestProblem for what is nested too deep. */
export function visit(value: unknown, each: (object: object) => void, depth = 0): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth > DEPTH_MAX) throw new RequestProblem(`the request is nested deeper than ${DEPTH_MAX}`);
  if (!Array.isArray(value)) each(value);
  for (const inner of Object.values(value)) visit(inner, each, depth + 1);
}
