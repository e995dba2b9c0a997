/** What usage records add up to over time, as few points as a plot needs. The numbers are the agent's own. */
import type { LogRecord } from '../../../common/api/log.ts';
import type { UsagePoint, UsageView } from '../../../common/api/panels.ts';

/** Points that are kept: more are thinned out to half. */
const POINTS_MAX = 240;

const INPUT = [
  'inputTokens',
  'input_tokens',
  'cacheReadTokens',
  'cache_read_input_tokens',
  'cacheWriteTokens',
  'cache_creation_input_tokens',
];
const OUTPUT = ['outputTokens', 'output_tokens'];

export class UsageSums {
  #points: UsagePoint[] = [];
  #hasCost = false;

  add(at: string, data: NonNullable<LogRecord['data']>): void {
    const before = this.#points.at(-1);
    const cost = amount(data['costUsd']);
    this.#hasCost ||= data['costUsd'] !== undefined;
    this.#points.push({
      at,
      inputTokens: (before?.inputTokens ?? 0) + sum(data, INPUT),
      outputTokens: (before?.outputTokens ?? 0) + sum(data, OUTPUT),
      cost: (before?.cost ?? 0) + cost,
    });
    if (this.#points.length > POINTS_MAX)
      this.#points = this.#points.filter((_, index, all) => index % 2 === 0 || index === all.length - 1);
  }

  /** Undefined while nothing was used. */
  view(): UsageView | undefined {
    return this.#points.length === 0 ? undefined : { points: this.#points, hasCost: this.#hasCost };
  }
}

const sum = (data: NonNullable<LogRecord['data']>, names: readonly string[]): number =>
  names.reduce((total, name) => total + amount(data[name]), 0);

/** What is no amount is nothing. */
function amount(value: unknown): number {
  const number = typeof value === 'string' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) && number > 0 ? number : 0;
}
