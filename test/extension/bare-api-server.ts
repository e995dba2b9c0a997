/** An API server without Ambient Sessions, as far as the extension asks: a real cluster's CRDs cannot be taken away under other tests. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

export class BareApiServer implements AsyncDisposable {
  readonly #server: Server;
  /** Answers this status to everything, when set. */
  status: number | undefined;

  constructor() {
    this.#server = createServer((request, response) => {
      const answer = (status: number, body: object): void => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      };
      const failure = (code: number, reason: string, message: string): void =>
        answer(code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message });
      if (this.status !== undefined) failure(this.status, 'InternalError', 'etcd has lost its leader');
      else if (request.url?.startsWith('/api/v1/namespaces'))
        answer(200, {
          kind: 'NamespaceList',
          apiVersion: 'v1',
          metadata: {},
          items: [{ metadata: { name: 'default' } }],
        });
      else failure(404, 'NotFound', 'the server could not find the requested resource');
    });
  }

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
