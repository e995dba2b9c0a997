/**
 * The operator's side of the runner protocol in memory, over real HTTPS, with faults on demand. It is as strict as the
 * contract: a gap is a 409, a record or result that does not fit the schema a 400, wrong bytes a 422.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Compile } from 'typebox/compile';
import { LogRecord } from '../../common/api/log.ts';
import { MODELS_PATH } from '../../common/api/models.ts';
import { HEADER_ARTIFACT_TYPE, HEADER_DIGEST, RUNNER_PATHS, RunResult } from '../../common/api/runner.ts';
import type { Control, Said } from '../../common/api/runner.ts';
import type { KeyPair } from '../../operator/serve/tls/authority.ts';
import { TestCertificates } from './certificates.ts';
import { freePort } from './free-ports.ts';

export interface StoredArtifact {
  path: string;
  size: number;
  digest: string;
  type: string;
  contentType: string;
  /** Kept for small ones only. */
  content: Buffer | undefined;
}

export interface Fault {
  /** Answers with this status instead. */
  status?: number;
  /** Breaks the connection before the request is handled, after it was (the answer is lost), or in the middle of the answer. */
  drop?: 'before' | 'after' | 'middle';
  delayMs?: number;
}

const recordValidator = Compile(LogRecord);
const resultValidator = Compile(RunResult);
const KEPT_BYTES_MAX = 4 * 1024 * 1024;

export class RunnerEndpoint implements AsyncDisposable {
  readonly token = 'a-token-that-nobody-else-has';
  readonly records: LogRecord[] = [];
  /** Monotonic milliseconds at which each record was stored. */
  readonly storedAt: number[] = [];
  readonly artifacts = new Map<string, StoredArtifact>();
  readonly results: RunResult[] = [];
  /** What broke the contract. Empty in a good run. */
  readonly violations: string[] = [];
  readonly requests: string[] = [];
  resent = 0;
  source: Buffer | undefined;
  control: Control = {};
  /** Of the session that this one goes on from: by name, below /resume/. */
  readonly resumed = new Map<string, Buffer>();
  /** What was said to the session. */
  readonly said: Said[] = [];
  accept = [this.token];
  /** Decides what goes wrong with a request; called before it is handled. */
  fault: (request: IncomingMessage) => Fault | undefined = () => undefined;
  /** Takes what is for the gateway. */
  models: (request: IncomingMessage, response: ServerResponse) => void = (_, response) =>
    fail(response, 404, 'no gateway here');
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #waiting = new Set<() => void>();
  readonly ca: string;
  readonly #port: number;

  private constructor(server: KeyPair, ca: string, port: number) {
    this.ca = ca;
    this.#port = port;
    this.#server = createServer({ ...server }, (request, response) => {
      if (request.url?.startsWith(`${MODELS_PATH}/`)) return this.models(request, response);
      this.#serve(request, response).catch((error: unknown) => {
        // a broken connection is the other side's business
        if (!request.destroyed && !response.destroyed) this.violations.push(String(error));
        response.destroy();
      });
    });
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(): Promise<RunnerEndpoint> {
    const certificates = await TestCertificates.make();
    const port = await freePort('127.0.0.1');
    const endpoint = new RunnerEndpoint(certificates.current, certificates.ca, port);
    await endpoint.up();
    return endpoint;
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  /** Listens, on the same port as before. */
  async up(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  /** As when the process is killed: connections break in the middle, then nobody listens. */
  async down(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  stop(stop: NonNullable<Control['stop']>): void {
    this.control = { ...this.control, stop };
    this.#wake();
  }

  /** A call of the session waits for money, or does not any more. */
  pause(paused: boolean): void {
    this.control = { ...this.control, paused };
    this.#wake();
  }

  /** Somebody says something to the session. */
  say(said: Partial<Said>): void {
    const seq = this.said.length + 1;
    this.said.push({ seq, id: `m${seq}`, kind: 'message', by: 'ann', text: '', ...said });
    this.#wake();
  }

  /** Resolves when `condition` holds, checked at every request handled. Rejects after `timeoutMs`. */
  async until(condition: () => boolean, timeoutMs = 30_000): Promise<void> {
    const end = performance.now() + timeoutMs;
    while (!condition()) {
      if (performance.now() > end) throw new Error('the condition did not come true in time');
      await Promise.race([new Promise<void>((resolve) => this.#waiting.add(resolve)), sleep(50)]);
    }
  }

  /** The text of all records of one type. */
  texts(type: LogRecord['type'], stream?: 'stdout' | 'stderr'): string[] {
    return this.records
      .filter((record) => record.type === type && (stream === undefined || record.stream === stream))
      .map(({ text }) => text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.down();
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests.push(`${request.method ?? ''} ${request.url ?? ''}`);
    const fault = this.fault(request) ?? {};
    if (fault.delayMs !== undefined) await sleep(fault.delayMs);
    if (fault.drop === 'before') return void request.socket.destroy();
    if (fault.status !== undefined) return fail(response, fault.status, `fault ${fault.status}`);
    const token = request.headers.authorization?.replace('Bearer ', '') ?? '';
    if (!this.accept.includes(token)) return fail(response, 401, 'unknown token');

    const { pathname, searchParams } = new URL(request.url ?? '/', this.url);
    const lost = fault.drop === 'after' ? request.socket : undefined;
    const answer = (status: number, body?: unknown): void => {
      if (lost) return void lost.destroy();
      response.writeHead(status, body === undefined ? {} : { 'content-type': 'application/json' });
      response.end(body === undefined ? undefined : JSON.stringify(body));
    };
    const key = `${request.method ?? ''} ${pathname}`;
    if (key === `POST ${RUNNER_PATHS.events}`) this.#events(await bodyOf(request), answer);
    else if (key === `GET ${RUNNER_PATHS.control}`)
      answer(200, await this.#controlled(searchParams, request));
    else if (key === `GET ${RUNNER_PATHS.source}`)
      this.#sendSource(request, response, fault.drop === 'middle');
    else if (key.startsWith(`GET ${RUNNER_PATHS.resume}/`)) {
      const found = this.resumed.get(pathname.slice(RUNNER_PATHS.resume.length + 1));
      if (found === undefined) fail(response, 404, 'there is none');
      else response.end(found);
    } else if (key.startsWith(`PUT ${RUNNER_PATHS.artifacts}/`))
      await this.#artifact(request, pathname, answer);
    else if (key === `POST ${RUNNER_PATHS.result}`) this.#result(await bodyOf(request), answer);
    else fail(response, 404, `no ${key}`);
    this.#wake();
  }

  #events(body: Buffer, answer: (status: number, body?: unknown) => void): void {
    const now = performance.now();
    for (const line of body.toString('utf8').split('\n')) {
      if (line === '') continue;
      const record: unknown = JSON.parse(line);
      if (!recordValidator.Check(record)) {
        this.violations.push(`no record: ${line.slice(0, 300)}`);
        return answer(400, { error: 'invalid_request', message: 'no record', details: {} });
      }
      if (record.seq <= this.records.length) this.resent++;
      else if (record.seq > this.records.length + 1)
        return answer(409, { error: 'conflict', message: 'gap', acknowledged: this.records.length });
      else {
        this.records.push(record);
        this.storedAt.push(now);
      }
    }
    answer(200, { acknowledged: this.records.length });
  }

  async #controlled(query: URLSearchParams, request: IncomingMessage): Promise<Control> {
    const end = performance.now() + Number(query.get('wait') ?? 0) * 1000;
    const after = Number(query.get('after') ?? Infinity);
    const news = (): Said[] => this.said.filter(({ seq }) => seq > after);
    const hasChanged = (): boolean =>
      query.has('paused') && (this.control.paused ?? false) !== (query.get('paused') === 'true');
    while (
      !this.control.stop &&
      !hasChanged() &&
      news().length === 0 &&
      performance.now() < end &&
      !request.socket.destroyed
    )
      await Promise.race([
        new Promise<void>((resolve) => this.#waiting.add(resolve)),
        sleep(Math.min(200, end - performance.now())),
      ]);
    const messages = news();
    return { ...this.control, ...(messages.length === 0 ? {} : { messages }) };
  }

  #sendSource(request: IncomingMessage, response: ServerResponse, cut: boolean): void {
    if (!this.source) return fail(response, 404, 'no source was uploaded');
    const first = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const part = this.source.subarray(first);
    response.writeHead(first > 0 ? 206 : 200, {
      'content-length': part.length,
      ...(first > 0 && { 'content-range': `bytes ${first}-${this.source.length - 1}/${this.source.length}` }),
    });
    if (!cut) return void response.end(part);
    response.write(part.subarray(0, Math.ceil(part.length / 2)), () => response.destroy());
  }

  async #artifact(
    request: IncomingMessage,
    pathname: string,
    answer: (status: number, body?: unknown) => void,
  ): Promise<void> {
    const path = pathname
      .slice(RUNNER_PATHS.artifacts.length + 1)
      .split('/')
      .map(decodeURIComponent)
      .join('/');
    if (path.split('/').some((segment) => segment === '' || segment === '.' || segment === '..'))
      return answer(400, { error: 'unsafe_path', message: path, details: {} });
    const hash = createHash('sha256');
    const kept: Buffer[] = [];
    let size = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      hash.update(chunk);
      size += chunk.length;
      if (size <= KEPT_BYTES_MAX) kept.push(chunk);
    }
    const digest = `sha256:${hash.digest('hex')}`;
    if (request.headers[HEADER_DIGEST] !== digest)
      return answer(422, { error: 'digest_mismatch', message: `the bytes have ${digest}`, details: {} });
    this.artifacts.set(path, {
      path,
      size,
      digest,
      type: String(request.headers[HEADER_ARTIFACT_TYPE]),
      contentType: request.headers['content-type'] ?? '',
      content: size <= KEPT_BYTES_MAX ? Buffer.concat(kept) : undefined,
    });
    answer(201);
  }

  #result(body: Buffer, answer: (status: number, body?: unknown) => void): void {
    const result: unknown = JSON.parse(body.toString('utf8'));
    if (!resultValidator.Check(result)) {
      this.violations.push(`no result: ${body.toString('utf8')}`);
      return answer(400, { error: 'invalid_request', message: 'no result', details: {} });
    }
    this.results.push(result);
    answer(204);
  }
}

function fail(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error: 'fault', message, details: {} }));
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
