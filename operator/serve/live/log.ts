/** GET …/log: records as NDJSON or text, once or followed until the session is over. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { LogRecord } from '../../../common/api/log.ts';
import type { Session } from '../../../common/api/session.ts';
import { AmbientError } from '../../../common/errors.ts';
import type { LogLines, SessionLog } from '../../sessions/log.ts';
import { renderText } from '../../sessions/log-text.ts';
import type { Exchange } from '../http/exchange.ts';
import { booleanParam, numberParam } from '../http/path.ts';

/** Proxies on the way end connections that are silent for a minute or less. */
const KEEP_ALIVE_MS = 10_000;
/** Characters handed to the connection at once. */
const PIECE = 128 * 1024;

export interface LogDependencies {
  log: SessionLog;
  keepAliveMs?: number;
}

export async function serveLog(
  { log, keepAliveMs = KEEP_ALIVE_MS }: LogDependencies,
  { response, signal, closing }: Exchange,
  session: Session,
  query: URLSearchParams,
): Promise<void> {
  const since = numberParam(query, 'since', 0);
  const isFollowed = booleanParam(query, 'follow');
  const render = rendererOf(query.get('format') ?? 'events');
  const ending = AbortSignal.any([signal, closing]);
  response.writeHead(200, {
    'content-type': render.contentType,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.flushHeaders();
  const writer = new Writer(response, ending);
  using _pulse = isFollowed ? writer.keepAlive(keepAliveMs) : undefined;
  const batches = isFollowed ? log.follow(session, since, ending) : log.read(session, since);
  for await (const batch of batches) {
    for (const piece of pieces(batch, render.line)) await writer.write(piece);
  }
  // Only a log that was sent to its end may look as if it was.
  ending.throwIfAborted();
  response.end();
}

interface Renderer {
  contentType: string;
  line: (json: string) => string;
}

function rendererOf(format: string): Renderer {
  if (format === 'events') return { contentType: 'application/x-ndjson', line: (json) => `${json}\n` };
  if (format === 'text') {
    return {
      contentType: 'text/plain; charset=utf-8',
      line: (json) => renderText(JSON.parse(json) as LogRecord),
    };
  }
  throw new AmbientError('invalid_request', 'the parameter format is events or text');
}

function* pieces({ lines }: LogLines, render: (json: string) => string): Generator<string, void, undefined> {
  let piece = '';
  for (const line of lines) {
    piece += render(line);
    if (piece.length < PIECE) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

/** Writes no faster than the reader reads. */
class Writer {
  readonly #response: ServerResponse;
  readonly #ending: AbortSignal;
  #lastWrite = performance.now();
  #isInLine = false;

  constructor(response: ServerResponse, ending: AbortSignal) {
    this.#response = response;
    this.#ending = ending;
  }

  async write(piece: string): Promise<void> {
    this.#ending.throwIfAborted();
    this.#lastWrite = performance.now();
    this.#isInLine = !piece.endsWith('\n');
    if (!this.#response.write(piece)) await once(this.#response, 'drain', { signal: this.#ending });
  }

  /** A blank line whenever nothing was written for so long; none while the reader is behind, or in the middle of a line. */
  keepAlive(milliseconds: number): Disposable {
    const timer = setInterval(
      () => {
        if (this.#isInLine || this.#response.writableNeedDrain) return;
        if (performance.now() - this.#lastWrite < milliseconds) return;
        this.#lastWrite = performance.now();
        this.#response.write('\n');
      },
      Math.min(milliseconds, 1000),
    );
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }
}
