/** Readers of a long log that begin and do not go on. */
import type { IncomingMessage } from 'node:http';
import { finished } from 'node:stream/promises';
import type { Session } from '../../common/api/session.ts';
import type { SessionLog } from '../../operator/sessions/log.ts';

const CHUNKS = 64;
const LINES = 64;
/** Of a chunk: as large as merged ones are. */
const CHUNK_BYTES = 1024 * 1024;
const READERS = 50;
/** Much less than the log: a chunk as it is read and written, several times over until it is collected. */
export const READER_BYTES_MAX = 24 * 1024 * 1024;

/** How many records there are then: 64 MiB of them. */
export async function fillLog(log: SessionLog, session: Session): Promise<number> {
  const text = 'x'.repeat(CHUNK_BYTES / LINES - 100);
  for (let chunk = 0; chunk < CHUNKS; chunk++)
    await log.append(
      session,
      Array.from({ length: LINES }, (_, i) => {
        const seq = chunk * LINES + i + 1;
        return { seq, line: JSON.stringify({ seq, time: '2030-01-01T00:00:00Z', type: 'output', text }) };
      }),
    );
  return CHUNKS * LINES;
}

export class SlowReaders implements Disposable {
  readonly #before = held();
  readonly #responses: IncomingMessage[] = [];
  readonly #sampling: NodeJS.Timeout;
  #peak = 0;

  private constructor() {
    this.#sampling = setInterval(() => (this.#peak = Math.max(this.#peak, held() - this.#before)), 20);
  }

  static async begin(follow: () => Promise<IncomingMessage>): Promise<SlowReaders> {
    const readers = new SlowReaders();
    await Promise.all(
      Array.from({ length: READERS }, async () => {
        const response = await follow();
        response.on('error', () => undefined);
        readers.#responses.push(response);
      }),
    );
    return readers;
  }

  /** Bytes that this process has held for one of them, at most. */
  get peakOfOne(): number {
    return this.#peak / READERS;
  }

  /** Connections that the other end has cut: seen by who reads on. */
  async areCut(): Promise<boolean> {
    const ended = this.#responses.map(async (response) => {
      response.resume();
      // How it ended is asked below.
      await finished(response).catch(() => undefined);
    });
    await Promise.all(ended);
    return this.#responses.every(({ complete }) => !complete);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sampling);
    for (const response of this.#responses) response.destroy();
  }
}

function held(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
