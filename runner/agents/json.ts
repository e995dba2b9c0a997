/** JSON of which nothing is certain: another version of a program may send anything under any name. */

export type JsonObject = Record<string, unknown>;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** An own property that is an object, or an empty one. */
export const objectIn = (value: JsonObject, name: string): JsonObject => {
  const found = ownOf(value, name);
  return isObject(found) ? found : {};
};

export const stringIn = (value: JsonObject, name: string): string | undefined => {
  const found = ownOf(value, name);
  return typeof found === 'string' ? found : undefined;
};

/** Amounts and counts: finite and not negative. */
export const numberIn = (value: JsonObject, name: string): number | undefined => {
  const found = ownOf(value, name);
  return typeof found === 'number' && Number.isFinite(found) && found >= 0 ? found : undefined;
};

export const objectsIn = (value: JsonObject, name: string): JsonObject[] => {
  const found = ownOf(value, name);
  return Array.isArray(found) ? found.filter(isObject) : [];
};

const ownOf = (value: JsonObject, name: string): unknown =>
  Object.hasOwn(value, name) ? value[name] : undefined;
