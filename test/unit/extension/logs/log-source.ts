/** Stands in for the live API in unit tests: a log in memory whose answers can be cut, doubled, silenced or refused. */
import type { LogRecord } from '../../../../common/api/log.ts';
import type { LogSource } from '../../../../extension/logs/follow-records.ts';

/** What happens to one answer: it is refused, or cut after so many bytes (with an error or as if it were whole). */
export type Fault =
  { refuse: Error } | { cutAfterBytes: number; silently: boolean } | { silent: true } | { skip: number };

export class MemoryLog implements LogSource {
  readonly records: LogRecord[] = [];
  readonly asked: { since: number; follow: boolean }[] = [];
  /** For the next answers, in order. */
  readonly faults: (Fault | undefined)[] = [];
  finished = false;
  exists = true;
  fatal: Error | undefined;
  #wake = new Set<() => void>();

  add(...texts: string[]): void {
    for (const text of texts)
      this.records.push({
        seq: this.records.length + 1,
        time: '2026-01-02T03:04:05.678Z',
        type: 'output',
        stream: 'stdout',
        text,
      });
    this.#ring();
  }

  finish(): void {
    this.finished = true;
    this.#ring();
  }

  delete(): void {
    this.exists = false;
    this.#ring();
  }

  async isFinished(): Promise<boolean | undefined> {
    return this.exists ? this.finished : undefined;
  }

  verdict(error: unknown): 'retry' | 'fatal' | 'gone' {
    return error === this.fatal ? 'fatal' : 'retry';
  }

  async open(
    query: { since: number; follow: boolean },
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>> {
    this.asked.push(query);
    const fault = this.faults.shift();
    if (fault !== undefined && 'refuse' in fault) throw fault.refuse;
    return this.#answer(query, signal, fault);
  }

  async *#answer(
    { since, follow }: { since: number; follow: boolean },
    signal: AbortSignal,
    fault: Fault | undefined,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let at = since + (fault !== undefined && 'skip' in fault ? fault.skip : 0);
    let left = fault !== undefined && 'cutAfterBytes' in fault ? fault.cutAfterBytes : Infinity;
    for (;;) {
      if (fault === undefined) {
        const records = this.records.slice(at);
        at += records.length;
        yield Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(''));
      } else if (!('silent' in fault))
        for (const record of this.records.slice(at)) {
          const bytes = Buffer.from(`${JSON.stringify(record)}\n`);
          if (bytes.length > left) {
            yield bytes.subarray(0, left);
            if ('silently' in fault && fault.silently) return;
            throw new Error('socket hang up');
          }
          left -= bytes.length;
          at += 1;
          yield bytes;
        }
      if (!follow || this.finished || !this.exists) return;
      if (at >= this.records.length || (fault !== undefined && 'silent' in fault)) await this.#bell(signal);
      signal.throwIfAborted();
      yield Buffer.from('\n');
    }
  }

  #ring(): void {
    for (const wake of this.#wake) wake();
  }

  async #bell(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#wake.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#wake.add(done);
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    });
  }
}
