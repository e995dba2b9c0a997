/** A receiver of webhooks on the loopback address, which answers as a test tells it. */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface Received {
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
}

export interface WebReceiver extends AsyncDisposable {
  readonly port: number;
  readonly received: Received[];
  /** `event/session` of what came, in order. */
  events(): string[];
  /** Answers every request; default 204. */
  answer: (response: ServerResponse, request: Received) => void;
}

export async function webReceiver(address = '127.0.0.1'): Promise<WebReceiver> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    void text(request).then(
      (body) => {
        const one = { path: request.url ?? '', headers: request.headers, body };
        received.push(one);
        receiver.answer(response, one);
      },
      () => undefined,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const receiver: WebReceiver = {
    port: (server.address() as AddressInfo).port,
    received,
    events: () =>
      received.map(({ body }) => {
        const { event, session } = JSON.parse(body) as { event: string; session?: { name: string } };
        return session === undefined ? event : `${event}/${session.name}`;
      }),
    answer: (response) => void response.writeHead(204).end(),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return receiver;
}
