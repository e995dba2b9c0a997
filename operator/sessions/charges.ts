/** What usage records say about money. They come from the pod: whatever is no amount is nothing, and nothing is ever negative. */
import { parseMoney } from '../../common/rules/money.ts';
import type { Money } from '../../common/rules/money.ts';
import { shorten } from '../../common/rules/conditions.ts';
import { oneLine } from '../../common/rules/wording.ts';
import type { RecordLine } from './log-records.ts';

/** An amount beyond what was charged before. */
export interface Charge {
  /** Of its source; a charge is counted once. */
  seq: number;
  /** What it is broken down by: a model. */
  key: string;
  amount: Money;
}

/** Where a record names no model. */
export const OTHER = 'other';
const KEY_MAX = 128;
const DECIMALS = 9;

export interface Charges {
  charges: Charge[];
  /** Numbers of the records whose cost is no amount. */
  malformed: number[];
}

export function chargesOf(records: readonly RecordLine[]): Charges {
  const result: Charges = { charges: [], malformed: [] };
  for (const { seq, usage } of records) {
    if (usage?.['costUsd'] === undefined) continue;
    const amount = amountOf(usage['costUsd']);
    if (amount === undefined) result.malformed.push(seq);
    else if (amount > 0n) result.charges.push({ seq, key: chargeKey(usage['model']), amount });
  }
  return result;
}

function amountOf(value: unknown): Money | undefined {
  if (typeof value === 'string') return parseMoney(value);
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) return undefined;
  return parseMoney(value.toFixed(DECIMALS));
}

/** What a cost is broken down by: a model, if it can be told. */
export function chargeKey(model: unknown): string {
  if (typeof model !== 'string') return OTHER;
  const key = shorten(oneLine(model).toWellFormed(), KEY_MAX);
  return key === '' ? OTHER : key;
}
