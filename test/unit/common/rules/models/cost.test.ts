import assert from 'node:assert/strict';
import fc from 'fast-check';
import { costOfUsage, mostCost, mostTokens, settledCost } from '../../../../../common/rules/models/cost.ts';
import { MODEL_PROVIDERS } from '../../../../../common/api/models.ts';
import type { ModelProvider } from '../../../../../common/api/models.ts';
import { priceOf } from '../../../../../common/rules/models/price.ts';
import type { Price } from '../../../../../common/rules/models/price.ts';
import { PRICE_LISTS } from '../../../../../common/rules/models/prices.ts';
import { NO_USAGE, NOTHING_READ } from '../../../../../common/rules/models/protocol.ts';
import type { ModelRequest, Usage } from '../../../../../common/rules/models/protocol.ts';
import { formatMoney, parseMoney } from '../../../../../common/rules/money.ts';

function price(provider: ModelProvider, model: string): Price {
  const found = priceOf(provider, model);
  assert.ok(found !== undefined, model);
  return found;
}

const REQUEST: ModelRequest = {
  model: 'm',
  isStream: true,
  maxOutput: 1000,
  answers: 1,
  tools: [],
  serverTools: [],
  cache: 'none',
  images: 0,
  isOpenEnded: false,
  surcharges: [],
};

describe('prices of models', () => {
  it('have a date and a source, and every row reads', () => {
    assert.deepEqual(PRICE_LISTS.map(({ provider }) => provider).sort(), [...MODEL_PROVIDERS].sort());
    const seen = new Set<string>();
    for (const { provider, date, source, rows } of PRICE_LISTS) {
      assert.match(date, /^\d{4}-\d{2}-\d{2}$/);
      assert.match(source, /^https:\/\//);
      for (const row of rows) {
        for (const rates of [row, ...(row.long === undefined ? [] : [row.long])])
          for (const kind of ['input', 'output', 'cacheRead', 'cacheWrite5m', 'cacheWrite1h'] as const)
            if (rates[kind] !== undefined)
              assert.ok((parseMoney(rates[kind]) ?? 0n) > 0n, `${row.names[0]} ${kind}`);
        for (const name of row.names) {
          assert.ok(!seen.has(`${provider} ${name}`), `${name} stands twice`);
          seen.add(`${provider} ${name}`);
        }
      }
    }
  });

  it('are found by the name with its date, and by no other name', () => {
    const sonnet = price('anthropic', 'claude-sonnet-4-5');
    assert.deepEqual(priceOf('anthropic', 'claude-sonnet-4-5-20250929'), sonnet);
    assert.deepEqual(priceOf('openai', 'gpt-5.4-2026-03-05'), price('openai', 'gpt-5.4'));
    assert.deepEqual(priceOf('anthropic', 'claude-3-5-haiku-latest'), price('anthropic', 'claude-3-5-haiku'));
    assert.deepEqual(priceOf('gemini', 'gemini-2.5-flash-001'), price('gemini', 'gemini-2.5-flash'));
    assert.deepEqual(priceOf('gemini', 'gemini-2.5-pro-preview-06-05'), price('gemini', 'gemini-2.5-pro'));
    for (const name of [
      'claude-sonnet-4-5-fast',
      'claude-sonnet-4-5-2025',
      'CLAUDE-SONNET-4-5',
      'constructor',
      '',
    ])
      assert.equal(priceOf('anthropic', name), undefined, name);
    assert.equal(priceOf('openai', 'claude-sonnet-4-5'), undefined);
  });

  it("are a policy's own where it has one", () => {
    const own = [{ model: 'house-*', input: '1', output: '2.5', contextTokens: 8000 }];
    const found = priceOf('openai', 'house-7b', own);
    assert.ok(found !== undefined);
    assert.equal(found.context, 8000);
    assert.equal(
      formatMoney(costOfUsage({ ...NO_USAGE, input: 3, cacheRead: 1, output: 2 }, found)),
      '0.000009',
    );
    assert.equal(priceOf('openai', 'other', own), undefined);
  });
});

describe('what a call costs', () => {
  const cases: [provider: ModelProvider, model: string, usage: Partial<Usage>, usd: string][] = [
    ['anthropic', 'claude-sonnet-4-6', { input: 1, output: 1 }, '0.000018'],
    [
      'anthropic',
      'claude-opus-4-5',
      { input: 25, cacheRead: 4000, cacheWrite5m: 100, cacheWrite1h: 200, output: 15 },
      '0.005125',
    ],
    ['anthropic', 'claude-haiku-5-5', { input: 100_000, output: 10 }, '0.010005'],
    ['anthropic', 'claude-haiku-5-5', { input: 100_000, cacheRead: 1, output: 10 }, '0.05002505'],
    ['openai', 'gpt-5.3-codex', { input: 232, cacheRead: 768, output: 120, thinking: 64 }, '0.0022204'],
    ['gemini', 'gemini-2.5-pro', { input: 200_000, output: 62, thinking: 40 }, '0.25062'],
    ['gemini', 'gemini-2.5-pro', { input: 200_001, output: 62 }, '0.5009325'],
    // Half a billionth a token: only the sum is rounded, up.
    ['openai', 'gpt-5-nano', { cacheRead: 1 }, '0.000000005'],
    ['gemini', 'gemini-3.1-flash-lite', { cacheRead: 3 }, '0.000000075'],
  ];
  for (const [provider, model, usage, usd] of cases)
    it(`${model} ${JSON.stringify(usage)}`, () => {
      assert.equal(formatMoney(costOfUsage({ ...NO_USAGE, ...usage }, price(provider, model))), usd);
    });

  const requests = fc.record<ModelRequest>({
    model: fc.constant('m'),
    isStream: fc.boolean(),
    maxOutput: fc.option(fc.nat(200_000), { nil: undefined }),
    answers: fc.integer({ min: 1, max: 4 }),
    tools: fc.constant([]),
    serverTools: fc.constant([]),
    cache: fc.constantFrom('none', '5m', '1h'),
    images: fc.nat(5),
    isOpenEnded: fc.boolean(),
    surcharges: fc.constant([]),
  });
  const prices = fc.constantFrom(
    ...PRICE_LISTS.flatMap(({ provider, rows }) => rows.map(({ names }) => price(provider, names[0] ?? ''))),
  );

  it('is never more than what was reserved, whatever the provider may count', () => {
    fc.assert(
      fc.property(
        requests,
        fc.nat(3_000_000),
        prices,
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 5, maxLength: 5 }),
        (request, bodyBytes, at, shares) => {
          const most = mostTokens(request, bodyBytes, at);
          // Any split of any input up to the most there can be, into what this request may write and read.
          const [a = 0, b = 0, c = 0, d = 0, e = 0] = shares;
          let left = Math.floor(most.input * a);
          const part = (share: number): number => {
            const taken = Math.floor(left * share);
            left -= taken;
            return taken;
          };
          const cacheRead = part(b);
          const cacheWrite5m = request.cache === 'none' ? 0 : part(c);
          const cacheWrite1h = request.cache === '1h' ? part(d) : 0;
          const output = Math.floor(most.output * e);
          const usage: Usage = { input: left, cacheRead, cacheWrite5m, cacheWrite1h, output, thinking: 0 };
          const reserved = mostCost(request, bodyBytes, at);
          assert.ok(costOfUsage(usage, at) <= reserved);
          for (const reading of [
            NOTHING_READ,
            { usage, isStarted: true, isFinal: false, generatedBytes: 10 * output },
            { usage: NO_USAGE, isStarted: false, isFinal: false, generatedBytes: output },
          ])
            assert.ok(settledCost(reading, { request, bodyBytes, price: at }).cost <= reserved);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('is what was reserved where nobody can tell, and what came where the answer broke off', () => {
    const at = price('anthropic', 'claude-sonnet-4-6');
    const asked = { request: REQUEST, bodyBytes: 5000, price: at };
    assert.equal(settledCost(NOTHING_READ, asked).cost, mostCost(REQUEST, 5000, at));
    const started = {
      usage: { ...NO_USAGE, input: 900, output: 1 },
      isStarted: true,
      isFinal: false,
      generatedBytes: 40,
    };
    assert.deepEqual(settledCost(started, asked).usage, { ...NO_USAGE, input: 900, output: 40 });
  });

  it('reserves a whole context for what is not in the request', () => {
    const at = price('openai', 'gpt-5.3-codex');
    assert.equal(mostTokens({ ...REQUEST, isOpenEnded: true }, 10, at).input, at.context);
    assert.equal(mostTokens({ ...REQUEST, maxOutput: undefined }, 10, at).output, at.maxOutput);
  });
});
