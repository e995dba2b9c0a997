/**
 * What models cost, in USD per million tokens, as their providers publish it for standard requests of text and images. A row says when
 * it was read and where. Whatever is not here has no price until a policy gives it one (`spec.models.prices`).
 */
import type { ModelProvider } from '../../api/models.ts';

/** Decimal strings: prices are never floating-point numbers. */
export interface Rates {
  input: string;
  output: string;
  /** Absent: as input. */
  cacheRead?: string;
  /** Absent: as input. */
  cacheWrite5m?: string;
  cacheWrite1h?: string;
}

export interface PriceRow extends Rates {
  /** Names without date; `NAME-20250929`, `NAME-2026-03-05`, `NAME-latest` and `NAME-001` are the same model. */
  names: readonly string[];
  /** Tokens that go in at most. */
  context: number;
  /** Tokens that come out at most. */
  maxOutput: number;
  /** For the whole request, when more tokens than `above` go in. */
  long?: Rates & { above: number };
}

export interface PriceList {
  provider: ModelProvider;
  /** The day of the newest reading of the source that the rows come from. */
  date: string;
  source: string;
  rows: readonly PriceRow[];
}

const K = 1000;
const M = 1_000_000;

/** Anthropic's multiples of the price of input: writes 1.25 and 2, reads 0.1 where nothing else is listed. */
const claude = (
  names: readonly string[],
  [input, cacheWrite5m, cacheWrite1h, cacheRead, output]: readonly [string, string, string, string, string],
  limits: { context: number; maxOutput: number; long?: PriceRow['long'] },
): PriceRow => ({ names, input, cacheWrite5m, cacheWrite1h, cacheRead, output, ...limits });

const LARGE = { context: M, maxOutput: 128 * K } as const;

const ANTHROPIC: PriceList = {
  provider: 'anthropic',
  date: '2026-10-24',
  source: 'https://platform.claude.com/docs/en/about-claude/pricing',
  rows: [
    claude(['claude-fable-5-1', 'claude-mythos-5-1'], ['10', '12.50', '20', '0.25', '50'], LARGE),
    claude(['claude-fable-5', 'claude-mythos-5'], ['10', '12.50', '20', '1', '50'], LARGE),
    claude(['claude-opus-5-5'], ['4', '5', '8', '0.20', '20'], LARGE),
    claude(
      ['claude-opus-5', 'claude-opus-4-8', 'claude-opus-4-7', 'claude-opus-4-6'],
      ['5', '6.25', '10', '0.50', '25'],
      LARGE,
    ),
    claude(['claude-opus-4-5'], ['5', '6.25', '10', '0.50', '25'], { context: 200 * K, maxOutput: 64 * K }),
    claude(['claude-opus-4-1', 'claude-opus-4', 'claude-opus-4-0'], ['15', '18.75', '30', '1.50', '75'], {
      context: 200 * K,
      maxOutput: 32 * K,
    }),
    claude(['claude-sonnet-5-5'], ['2', '2.50', '4', '0.10', '10'], LARGE),
    claude(['claude-sonnet-5'], ['2', '2.50', '4', '0.20', '10'], LARGE),
    claude(['claude-sonnet-4-6'], ['3', '3.75', '6', '0.30', '15'], LARGE),
    claude(['claude-sonnet-4-5', 'claude-sonnet-4', 'claude-sonnet-4-0'], ['3', '3.75', '6', '0.30', '15'], {
      context: M,
      maxOutput: 64 * K,
      long: {
        above: 200 * K,
        input: '6',
        cacheWrite5m: '7.50',
        cacheWrite1h: '12',
        cacheRead: '0.60',
        output: '22.50',
      },
    }),
    claude(['claude-haiku-5-5'], ['0.10', '0.125', '0.20', '0.01', '0.50'], {
      ...LARGE,
      long: {
        above: 100 * K,
        input: '0.50',
        cacheWrite5m: '0.625',
        cacheWrite1h: '1',
        cacheRead: '0.05',
        output: '2.50',
      },
    }),
    claude(['claude-haiku-4-5'], ['1', '1.25', '2', '0.10', '5'], { context: 200 * K, maxOutput: 64 * K }),
    claude(['claude-3-5-haiku'], ['0.80', '1', '1.60', '0.08', '4'], { context: 200 * K, maxOutput: 8192 }),
  ],
};

const gpt = (
  names: readonly string[],
  [input, cacheRead, output]: readonly [string, string, string],
  [context, maxOutput]: readonly [number, number],
  long?: PriceRow['long'],
): PriceRow => ({
  names,
  input,
  cacheRead,
  output,
  context,
  maxOutput,
  ...(long === undefined ? {} : { long }),
});

const GPT_5: readonly [number, number] = [400 * K, 128 * K];
const GPT_5_LONG: readonly [number, number] = [1_050_000, 128 * K];

const OPENAI: PriceList = {
  provider: 'openai',
  date: '2026-06-04',
  source: 'https://developers.openai.com/api/docs/pricing',
  rows: [
    gpt(['gpt-5.5'], ['5', '0.50', '30'], GPT_5_LONG, {
      above: 272 * K,
      input: '10',
      cacheRead: '1',
      output: '45',
    }),
    gpt(['gpt-5.4'], ['2.50', '0.25', '15'], GPT_5_LONG, {
      above: 272 * K,
      input: '5',
      cacheRead: '0.50',
      output: '22.50',
    }),
    gpt(['gpt-5.4-mini'], ['0.75', '0.075', '4.50'], GPT_5),
    gpt(['gpt-5.4-nano'], ['0.20', '0.02', '1.25'], GPT_5),
    gpt(['gpt-5.3-codex', 'gpt-5.2-codex', 'gpt-5.2'], ['1.75', '0.175', '14'], GPT_5),
    gpt(
      ['gpt-5.1', 'gpt-5.1-codex', 'gpt-5.1-codex-max', 'gpt-5', 'gpt-5-codex'],
      ['1.25', '0.125', '10'],
      GPT_5,
    ),
    gpt(['gpt-5.1-codex-mini', 'gpt-5-mini'], ['0.25', '0.025', '2'], GPT_5),
    gpt(['gpt-5-nano'], ['0.05', '0.005', '0.40'], GPT_5),
    gpt(['gpt-4.1'], ['2', '0.50', '8'], [1_047_576, 32_768]),
    gpt(['gpt-4.1-mini'], ['0.40', '0.10', '1.60'], [1_047_576, 32_768]),
    gpt(['gpt-4.1-nano'], ['0.10', '0.025', '0.40'], [1_047_576, 32_768]),
    gpt(['o3'], ['2', '0.50', '8'], [200 * K, 100 * K]),
    gpt(['o4-mini'], ['1.10', '0.275', '4.40'], [200 * K, 100 * K]),
    gpt(['gpt-4o'], ['2.50', '1.25', '10'], [128 * K, 16_384]),
    gpt(['gpt-4o-mini'], ['0.15', '0.075', '0.60'], [128 * K, 16_384]),
  ],
};

const GEMINI_LIMITS: readonly [number, number] = [1_048_576, 65_536];

const GEMINI: PriceList = {
  provider: 'gemini',
  date: '2026-07-04',
  source: 'https://ai.google.dev/gemini-api/docs/pricing',
  rows: [
    gpt(
      ['gemini-3.1-pro-preview', 'gemini-3.1-pro-preview-customtools', 'gemini-3-pro-preview'],
      ['2', '0.20', '12'],
      GEMINI_LIMITS,
      { above: 200 * K, input: '4', cacheRead: '0.40', output: '18' },
    ),
    gpt(['gemini-3.5-flash'], ['1.50', '0.15', '9'], GEMINI_LIMITS),
    gpt(['gemini-3-flash-preview'], ['0.50', '0.05', '3'], GEMINI_LIMITS),
    gpt(['gemini-3.1-flash-lite', 'gemini-3.1-flash-lite-preview'], ['0.25', '0.025', '1.50'], GEMINI_LIMITS),
    gpt(['gemini-2.5-pro'], ['1.25', '0.125', '10'], GEMINI_LIMITS, {
      above: 200 * K,
      input: '2.50',
      cacheRead: '0.25',
      output: '15',
    }),
    gpt(['gemini-2.5-flash'], ['0.30', '0.03', '2.50'], GEMINI_LIMITS),
    gpt(['gemini-2.5-flash-lite'], ['0.10', '0.01', '0.40'], GEMINI_LIMITS),
  ],
};

export const PRICE_LISTS: readonly PriceList[] = [ANTHROPIC, OPENAI, GEMINI];
