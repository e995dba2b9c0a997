/** Tokens told as records of type usage: each token in exactly one record, so that their sum is what was used. */
import type { AgentEvent } from './event.ts';

/** Disjoint but for `thinking`, which is part of `output`. */
export interface Tokens {
  input: number;
  output: number;
  cacheRead: number;
  cacheWrite: number;
  thinking: number;
  /** USD. */
  cost: number;
}

const KINDS = ['input', 'output', 'cacheRead', 'cacheWrite', 'thinking', 'cost'] as const;
const NONE: Tokens = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, thinking: 0, cost: 0 };
/** Models told apart: a program that makes up names must not fill the memory. */
const MODELS_MAX = 200;
const DECIMALS = 9;

export class UsageTeller {
  readonly #costs: boolean;
  readonly #told = new Map<string, Tokens>();

  /** @param costs whether amounts are told */
  constructor(costs: boolean) {
    this.#costs = costs;
  }

  /** What was used now, beyond all that was told. */
  more(model: string | undefined, used: Partial<Tokens>): AgentEvent[] {
    const key = model ?? '';
    const before = this.#told.get(key) ?? NONE;
    const step = { ...NONE, ...used };
    this.#remember(
      key,
      combined(before, step, (a, b) => a + b),
    );
    return this.#events(model, step);
  }

  /** What was used so far: tells the difference to what was told. */
  total(model: string | undefined, used: Partial<Tokens>): AgentEvent[] {
    const key = model ?? '';
    const before = this.#told.get(key) ?? NONE;
    const now = { ...NONE, ...used };
    this.#remember(
      key,
      combined(before, now, (a, b) => Math.max(a, b)),
    );
    return this.#events(
      model,
      combined(now, before, (a, b) => Math.max(0, a - b)),
    );
  }

  #remember(key: string, tokens: Tokens): void {
    if (this.#told.size < MODELS_MAX || this.#told.has(key)) this.#told.set(key, tokens);
  }

  #events(
    model: string | undefined,
    { input, output, cacheRead, cacheWrite, thinking, cost }: Tokens,
  ): AgentEvent[] {
    const costUsd = this.#costs && cost > 0 ? cost.toFixed(DECIMALS) : undefined;
    if (input + output + cacheRead + cacheWrite + thinking === 0 && costUsd === undefined) return [];
    const parts = [
      [input, 'input'],
      [cacheRead, 'from cache'],
      [cacheWrite, 'to cache'],
      [output, 'output'],
    ] as const;
    const said = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
    return [
      {
        type: 'usage',
        text: `${said.join(', ') || 'no'} tokens${costUsd === undefined ? '' : `, $${Number(costUsd)}`}`,
        data: {
          ...(model === undefined ? {} : { model }),
          ...{ inputTokens: input, outputTokens: output },
          ...{ cacheReadTokens: cacheRead, cacheWriteTokens: cacheWrite, thinkingTokens: thinking },
          ...(costUsd === undefined ? {} : { costUsd }),
        },
      },
    ];
  }
}

const combined = (a: Tokens, b: Tokens, how: (a: number, b: number) => number): Tokens =>
  Object.fromEntries(KINDS.map((kind) => [kind, how(a[kind], b[kind])])) as unknown as Tokens;
