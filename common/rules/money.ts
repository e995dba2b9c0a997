/**
 * Exact money: whole billionths of a US dollar. One token of a cheap model costs some hundred of them, so that prices per
 * token are whole numbers, and sums never round.
 */

/** Billionths of a US dollar, never negative. */
export type Money = bigint & { readonly unit: 'USD/1e9' };

const DIGITS = 9;
const ONE = 10n ** BigInt(DIGITS);
const TEXT = /^(\d{1,12})(?:\.(\d{1,9}))?$/;

export const ZERO = 0n as Money;

/** `12`, `12.5`, `0.000000001`; undefined for everything else: signs, exponents, more than nine decimals. */
export function parseMoney(text: string): Money | undefined {
  const match = TEXT.exec(text);
  if (match?.[1] === undefined) return undefined;
  return (BigInt(match[1]) * ONE + BigInt((match[2] ?? '').padEnd(DIGITS, '0'))) as Money;
}

/** All decimals that are not zero, at least two: `12.50`. What was parsed and formatted is the same amount. */
export function formatMoney(amount: Money): string {
  const decimals = (amount % ONE).toString().padStart(DIGITS, '0').replace(/0+$/, '').padEnd(2, '0');
  return `${amount / ONE}.${decimals}`;
}

export const plus = (a: Money, b: Money): Money => (a + b) as Money;
/** Never below nothing. */
export const minus = (a: Money, b: Money): Money => (a > b ? a - b : 0n) as Money;
export const smaller = (a: Money, b: Money): Money => (a < b ? a : b);
export const sum = (amounts: Iterable<Money>): Money => {
  let total = 0n;
  for (const amount of amounts) total += amount;
  return total as Money;
};

/** Percent with two decimals, rounded down, for people; decisions compare amounts. Of nothing everything is 100. */
export function percentOf(part: Money, whole: Money): number {
  if (whole <= 0n) return 100;
  return Number((part * 10_000n) / whole) / 100;
}
