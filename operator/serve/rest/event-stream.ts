/** Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

export interface StreamEvent {
  /** Where a reader that lost its connection goes on. */
  id?: string | number;
  event: string;
  /** JSON, hence one line. */
  data: string;
}

/** Proxies on the way end connections that are silent for a minute or less. */
const HEARTBEAT_MS = 10_000;
const RECONNECT_MS = 1000;

export class EventStream implements Disposable {
  readonly #response: ServerResponse;
  readonly #ending: AbortSignal;
  readonly #heart: NodeJS.Timeout;
  #lastWrite = performance.now();

  /** Begins the answer. */
  constructor(response: ServerResponse, ending: AbortSignal, heartbeatMs = HEARTBEAT_MS) {
    this.#response = response;
    this.#ending = ending;
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      // nginx otherwise keeps events back until there are many.
      'x-accel-buffering': 'no',
    });
    response.write(`retry: ${RECONNECT_MS}\n\n`);
    this.#heart = setInterval(
      () => {
        // None while the reader is behind: what waits there keeps the connection alive.
        if (response.writableNeedDrain || performance.now() - this.#lastWrite < heartbeatMs) return;
        this.#lastWrite = performance.now();
        response.write(': still here\n\n');
      },
      Math.min(heartbeatMs, 1000),
    );
  }

  /** Written no faster than the reader reads. Rejects when nobody reads any more, or the door closes. */
  async send(events: readonly StreamEvent[]): Promise<void> {
    this.#ending.throwIfAborted();
    if (events.length === 0) return;
    this.#lastWrite = performance.now();
    const text = events.map(textOf).join('');
    if (!this.#response.write(text)) await once(this.#response, 'drain', { signal: this.#ending });
  }

  end(): void {
    this.#response.end();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#heart);
  }
}

const textOf = ({ id, event, data }: StreamEvent): string =>
  `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${data}\n\n`;
