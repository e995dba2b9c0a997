/** Kubernetes quantities as the schemas allow them: digits, a fraction, and one of the suffixes m k M G T Ki Mi Gi Ti. */

const SUFFIXES: Record<string, number> = {
  m: 0.001,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
  Ti: 1024 ** 4,
};
const QUANTITY = /^(\d+(?:\.\d+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/;

/** The number it stands for (cores, bytes), or undefined when it is not a quantity of ours. */
export function parseQuantity(text: string): number | undefined {
  const match = QUANTITY.exec(text);
  if (match === null) return undefined;
  const factor = SUFFIXES[match[2] ?? ''];
  return factor === undefined ? undefined : Number(match[1]) * factor;
}

/** The smaller of two quantities, as it was written. What cannot be read counts as unlimited. */
export function smallerQuantity(a: string, b: string): string {
  return (parseQuantity(a) ?? Infinity) <= (parseQuantity(b) ?? Infinity) ? a : b;
}
