/** Posts the spooled records in order, one batch at a time, and drops only what the operator has stored. */
import { Value } from 'typebox/value';
import { EventsAccepted, RUNNER_PATHS } from '../common/api/runner.ts';
import { messageOf } from '../common/errors.ts';
import { EndpointError, isStorageFull } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import { backoffMs, pause } from './retry.ts';
import type { Spool } from './spool.ts';

export const BATCH_BYTES = 256 * 1024;
/** Records are gathered so long, so that a chatty command costs at most 20 requests a second. */
const GATHER_MS = 50;

export interface SenderOptions {
  endpoint: Endpoint;
  spool: Spool;
  random: () => number;
  /** Monotonic milliseconds. */
  elapsed: () => number;
  /** Told when posting begins to fail and when it works again; the message is undefined then. */
  onTrouble?: (message: string | undefined) => void;
}

export class Sender {
  readonly #options: SenderOptions;
  #trouble: unknown;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** Why the last attempt failed; undefined when it did not. */
  get trouble(): unknown {
    return this.#trouble;
  }

  /** Runs until cancelled. Throws what makes going on pointless: a refusal, or an operator that lost records. */
  async run(signal: AbortSignal): Promise<void> {
    const { spool, random, elapsed } = this.#options;
    let sentAt = -Infinity;
    let failures = 0;
    while (!signal.aborted) {
      if (spool.empty) {
        await spool.change(signal);
        continue;
      }
      if (spool.waitingBytes < BATCH_BYTES) await pause(Math.max(0, sentAt + GATHER_MS - elapsed()), signal);
      const batch = await spool.next(BATCH_BYTES);
      if (batch === undefined || signal.aborted) continue;
      sentAt = elapsed();
      try {
        spool.acknowledge(await this.#post(batch.body, signal));
        failures = 0;
        this.#troubled(undefined);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof EndpointError) || !(error.transient || isStorageFull(error))) throw error;
        this.#troubled(error);
        await pause(Math.max(backoffMs(failures++, random), error.retryAfterMs), signal);
      }
    }
  }

  /** Resolves when every record is stored; false when cancelled before. */
  async drained(signal: AbortSignal): Promise<boolean> {
    while (!this.#options.spool.empty) if (!(await this.#options.spool.change(signal))) return false;
    return true;
  }

  async #post(body: Buffer, signal: AbortSignal): Promise<number> {
    let answer: unknown;
    try {
      answer = await this.#options.endpoint.call({
        method: 'POST',
        path: RUNNER_PATHS.events,
        headers: { 'content-type': 'application/x-ndjson', 'content-length': body.length },
        body,
        signal,
      });
    } catch (error) {
      // a gap, as the operator sees it: it says where to go on
      const accepted =
        error instanceof EndpointError && error.status === 409 ? acceptedIn(error.answer) : undefined;
      if (accepted === undefined) throw error;
      if (accepted === this.#options.spool.acknowledged)
        throw new EndpointError(0, `the operator refuses records after ${accepted}: ${messageOf(error)}`);
      return accepted;
    }
    const accepted = acceptedIn(answer);
    if (accepted === undefined)
      throw new EndpointError(0, 'the operator did not say which records it has stored');
    return accepted;
  }

  #troubled(error: unknown): void {
    if ((error === undefined) !== (this.#trouble === undefined))
      this.#options.onTrouble?.(error === undefined ? undefined : messageOf(error));
    this.#trouble = error;
  }
}

/** In a 409 the number may stand in the error's details, as every error body has them. */
function acceptedIn(answer: unknown): number | undefined {
  if (Value.Check(EventsAccepted, answer)) return answer.acknowledged;
  const details = (answer as { details?: unknown } | undefined)?.details;
  return Value.Check(EventsAccepted, details) ? details.acknowledged : undefined;
}
