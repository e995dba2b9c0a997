/** Reading a payload of any shape: own properties only, nothing longer than it may be, and no throw. */
import { shorten } from '../conditions.ts';

/** Longest name of anything: longer ones are no names, and a cut one would be another's. */
export const NAME_MAX = 253;
export const TITLE_MAX = 500;
export const TEXT_MAX = 64 * 1024;
export const LABELS_MAX = 500;
export const PATHS_MAX = 10_000;
const PATH_MAX = 1024;

/** The value below these names; undefined where there is none. */
export function at(value: unknown, ...names: (string | number)[]): unknown {
  let found = value;
  for (const name of names) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined;
    found = (found as Record<string | number, unknown>)[name];
  }
  return found;
}

export const listAt = (value: unknown, ...names: (string | number)[]): readonly unknown[] => {
  const found = at(value, ...names);
  return Array.isArray(found) ? found : [];
};

/** Text that is there, whatever its length. */
export const textAt = (value: unknown, ...names: (string | number)[]): string | undefined => {
  const found = at(value, ...names);
  return typeof found === 'string' && found !== '' ? found : undefined;
};

export const nameAt = (value: unknown, ...names: (string | number)[]): string | undefined => {
  const found = textAt(value, ...names);
  return found === undefined || found.length > NAME_MAX ? undefined : found;
};

export const titleAt = (value: unknown, ...names: (string | number)[]): string | undefined => {
  const found = textAt(value, ...names);
  return found === undefined ? undefined : shorten(found, TITLE_MAX);
};

export const bodyAt = (value: unknown, ...names: (string | number)[]): string | undefined => {
  const found = textAt(value, ...names);
  return found === undefined ? undefined : shorten(found, TEXT_MAX);
};

/** A number or a name, as text. */
export const numberAt = (value: unknown, ...names: (string | number)[]): string | undefined => {
  const found = at(value, ...names);
  return typeof found === 'number' && Number.isFinite(found) ? String(found) : nameAt(value, ...names);
};

export const urlAt = (value: unknown, ...names: (string | number)[]): string | undefined => {
  const found = textAt(value, ...names);
  return found !== undefined && found.length <= 2048 && /^https?:\/\/\S+$/.test(found) ? found : undefined;
};

/** Entries that are names, or have one. */
export const namesOf = (list: readonly unknown[], max = LABELS_MAX): string[] =>
  list
    .slice(0, max)
    .flatMap((each) => (typeof each === 'string' ? nameAt([each], 0) : nameAt(each, 'name')) ?? []);

/** Each once, in order. */
export function pathsOf(lists: Iterable<readonly unknown[]>): string[] {
  const found = new Set<string>();
  for (const list of lists)
    for (const path of list) {
      if (found.size >= PATHS_MAX) return [...found];
      if (typeof path === 'string' && path !== '' && path.length <= PATH_MAX) found.add(path);
    }
  return [...found];
}

export const firstLine = (text: string | undefined): string | undefined => {
  const line = text?.trimStart().split('\n', 1)[0]?.trimEnd();
  return line === undefined || line === '' ? undefined : shorten(line, TITLE_MAX);
};

/** Without fields that have no value. */
export function present<T extends object>(fields: { [K in keyof T]: T[K] | undefined }): T {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(kept) as T;
}
