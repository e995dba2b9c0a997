/** The price of a model by its name, as amounts that are computed with: a policy's own first, then the provider's list. */
import type { ModelProvider } from '../../api/models.ts';
import { parseMoney, ZERO } from '../money.ts';
import type { Money } from '../money.ts';
import { matchesGlob } from '../policy/glob.ts';
import { PRICE_LISTS } from './prices.ts';
import type { PriceRow, Rates } from './prices.ts';

/** Billionths of a dollar per million tokens. */
export interface Amounts {
  input: Money;
  cacheRead: Money;
  cacheWrite5m: Money;
  cacheWrite1h: Money;
  output: Money;
}

export interface Price extends Amounts {
  context: number;
  maxOutput: number;
  long: (Amounts & { above: number }) | undefined;
}

/** As a policy has it; the first whose glob matches is taken. */
export interface OwnPrice extends Rates {
  model: string;
  contextTokens?: number;
  maxOutputTokens?: number;
}

/** Of a price that names none. */
const CONTEXT = 1_000_000;
const MAX_OUTPUT = 128_000;

/** Undefined: nobody knows what it costs. */
export function priceOf(
  provider: ModelProvider,
  model: string,
  own: readonly OwnPrice[] = [],
): Price | undefined {
  const mine = own.find((each) => matchesGlob(each.model, model));
  if (mine !== undefined)
    return toPrice({
      ...mine,
      names: [],
      context: mine.contextTokens ?? CONTEXT,
      maxOutput: mine.maxOutputTokens ?? MAX_OUTPUT,
    });
  const row = LISTED.get(`${provider} ${model}`) ?? LISTED.get(`${provider} ${withoutDate(model)}`);
  return row === undefined ? undefined : toPrice(row);
}

const LISTED: ReadonlyMap<string, PriceRow> = new Map(
  PRICE_LISTS.flatMap(({ provider, rows }) =>
    rows.flatMap((row) => row.names.map((name): [string, PriceRow] => [`${provider} ${name}`, row])),
  ),
);

/** `-20250929`, `-2026-03-05`, `-preview-05-20`, `-001`, `-latest`; `@…` as other clouds write it is not a provider's own. */
export const withoutDate = (model: string): string =>
  model.replace(/-(?:\d{8}|\d{4}-\d{2}-\d{2}|preview-\d{2}-\d{2}|preview-\d{2}-\d{4}|\d{3}|latest)$/, '');

/** What cannot be read is refused by the schema of a policy; here it must at least not make anything cheaper than input. */
function amountsOf({ input, output, cacheRead, cacheWrite5m, cacheWrite1h }: Rates): Amounts {
  const amount = (text: string): Money => parseMoney(text) ?? ZERO;
  return {
    input: amount(input),
    output: amount(output),
    cacheRead: amount(cacheRead ?? input),
    cacheWrite5m: amount(cacheWrite5m ?? input),
    cacheWrite1h: amount(cacheWrite1h ?? cacheWrite5m ?? input),
  };
}

const toPrice = (row: PriceRow): Price => ({
  ...amountsOf(row),
  context: row.context,
  maxOutput: row.maxOutput,
  long: row.long === undefined ? undefined : { ...amountsOf(row.long), above: row.long.above },
});
