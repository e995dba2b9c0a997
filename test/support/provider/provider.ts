/** A stand-in for model providers: answers what the test's script says, over HTTP, and remembers what it was asked. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { messagesError, messagesStream, messagesWhole } from './anthropic-messages.ts';
import { responsesError, responsesStream } from './openai-responses.ts';
import type { Answer, Asked, StreamEvent } from './script.ts';

export interface ProviderOptions {
  /** The answer to a request; asked once for each. */
  answer: (asked: Asked, number: number) => Answer;
  port?: number;
  host?: string;
}

interface Protocol {
  stream: (answer: Answer, model: string, id: string) => Iterable<StreamEvent>;
  error: (answer: Answer) => Record<string, unknown>;
  /** Where the protocol has been asked for without a stream. */
  whole?: (answer: Answer, model: string, id: string) => Record<string, unknown>;
}

const PROTOCOLS: readonly [ending: string, protocol: Protocol][] = [
  ['/messages', { stream: messagesStream, error: messagesError, whole: messagesWhole }],
  ['/responses', { stream: responsesStream, error: responsesError }],
];

export class Provider implements AsyncDisposable {
  readonly asked: Asked[] = [];
  /** Requests that belong to no protocol spoken here: those of agents that call home. */
  readonly strays: string[] = [];
  readonly #options: ProviderOptions;
  /** No two answers have the same id, whoever gives them: agents rely on it. */
  readonly #run = randomUUID().slice(0, 8);
  readonly #server: Server;
  #port = 0;

  private constructor(options: ProviderOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => this.take(request, response));
  }

  static async start(options: ProviderOptions): Promise<Provider> {
    const provider = new Provider(options);
    provider.#server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
    await once(provider.#server, 'listening');
    provider.#port = (provider.#server.address() as AddressInfo).port;
    return provider;
  }

  /** For a server of somebody else's. */
  take(request: IncomingMessage, response: ServerResponse): void {
    this.#serve(request, response).catch(() => response.destroy());
  }

  get port(): number {
    return this.#port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://provider');
    const protocol = PROTOCOLS.find(([ending]) => pathname.endsWith(ending))?.[1];
    const sent = await text(request);
    if (request.method !== 'POST' || protocol === undefined) {
      this.strays.push(`${request.method} ${pathname}`);
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":{"message":"not here"}}');
      return;
    }
    const asked = askedIn(pathname, request, JSON.parse(sent) as Record<string, unknown>);
    this.asked.push(asked);
    const number = this.asked.length;
    const id = `${this.#run}${number}`;
    const answer = this.#options.answer(asked, number);
    if (answer.status !== undefined) {
      response.writeHead(answer.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(protocol.error(answer)));
      return;
    }
    if (asked.body['stream'] !== true && protocol.whole !== undefined) {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(protocol.whole(answer, asked.model, id)));
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    for (const { event, data } of protocol.stream(answer, asked.model, id))
      response.write(`${event === undefined ? '' : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`);
    response.end();
  }
}

function askedIn(path: string, { headers }: IncomingMessage, body: Record<string, unknown>): Asked {
  const bearer = headers.authorization?.replace(/^Bearer /i, '');
  const apiKey = headers['x-api-key'];
  const tools = Array.isArray(body['tools']) ? (body['tools'] as Record<string, unknown>[]) : [];
  return {
    path,
    key: (Array.isArray(apiKey) ? apiKey[0] : apiKey) ?? bearer ?? '',
    model: typeof body['model'] === 'string' ? body['model'] : '',
    tools: tools.map(({ name, type }) => String(name ?? type)),
    body,
  };
}
