/** What a call costs at most before it is made, and what it has cost afterwards. Exact; only the sum is rounded, up. */
import { ZERO } from '../money.ts';
import type { Money } from '../money.ts';
import type { Amounts, Price } from './price.ts';
import { NO_USAGE } from './protocol.ts';
import type { ModelRequest, Reading, Usage } from './protocol.ts';

/** Tokens that a provider adds to a request by itself: what tells a model of its tools. */
const ADDED_TOKENS = 4096;
/** More than any provider counts for one image. */
const IMAGE_TOKENS = 16_384;
const PER = 1_000_000n;

export function costOfUsage(usage: Usage, price: Price): Money {
  const rates = ratesFor(usage.input + usage.cacheRead + usage.cacheWrite5m + usage.cacheWrite1h, price);
  return roundedUp(
    BigInt(usage.input) * rates.input +
      BigInt(usage.cacheRead) * rates.cacheRead +
      BigInt(usage.cacheWrite5m) * rates.cacheWrite5m +
      BigInt(usage.cacheWrite1h) * rates.cacheWrite1h +
      BigInt(usage.output) * rates.output,
  );
}

/**
 * No token is shorter than a byte of the request's body, so that its size bounds what goes in, and the model's context does so
 * whatever the request refers to.
 */
export function mostTokens(
  request: ModelRequest,
  bodyBytes: number,
  price: Price,
): { input: number; output: number } {
  const sized = bodyBytes + ADDED_TOKENS + request.images * IMAGE_TOKENS;
  return {
    input: request.isOpenEnded ? price.context : Math.min(price.context, sized),
    output: Math.min(request.maxOutput ?? price.maxOutput, price.maxOutput) * request.answers,
  };
}

/** What a call costs at most, if the provider keeps to what it was asked. */
export function mostCost(request: ModelRequest, bodyBytes: number, price: Price): Money {
  const { input, output } = mostTokens(request, bodyBytes, price);
  const rates = ratesFor(input, price);
  return roundedUp(BigInt(input) * dearestInput(request, rates) + BigInt(output) * rates.output);
}

/**
 * What an answer has cost, however it ended. One that broke off is charged for what had come: what the provider told of it, and for
 * each byte of text that it did not tell of one token; where it told nothing, for all that was reserved.
 */
export function settledCost(
  reading: Reading,
  asked: { request: ModelRequest; bodyBytes: number; price: Price },
): { usage: Usage | undefined; cost: Money } {
  const { request, bodyBytes, price } = asked;
  if (reading.isFinal) return { usage: reading.usage, cost: costOfUsage(reading.usage, price) };
  const most = mostTokens(request, bodyBytes, price);
  const generated = Math.min(most.output, Math.max(reading.usage.output, reading.generatedBytes));
  if (reading.isStarted) {
    const usage = { ...reading.usage, output: generated };
    return { usage, cost: costOfUsage(usage, price) };
  }
  // A provider that tells nothing before its last event: the text that came is known, what went in is bounded.
  if (reading.generatedBytes > 0) {
    const rates = ratesFor(most.input, price);
    const cost = roundedUp(
      BigInt(most.input) * dearestInput(request, rates) + BigInt(generated) * rates.output,
    );
    return { usage: { ...NO_USAGE, input: most.input, output: generated }, cost };
  }
  return { usage: undefined, cost: mostCost(request, bodyBytes, price) };
}

const ratesFor = (inputTokens: number, price: Price): Amounts =>
  price.long !== undefined && inputTokens > price.long.above ? price.long : price;

function dearestInput({ cache }: ModelRequest, rates: Amounts): bigint {
  const possible = [rates.input, rates.cacheRead];
  if (cache !== 'none') possible.push(rates.cacheWrite5m);
  if (cache === '1h') possible.push(rates.cacheWrite1h);
  return possible.reduce((most, each) => (each > most ? each : most), ZERO);
}

const roundedUp = (amount: bigint): Money => ((amount + PER - 1n) / PER) as Money;
