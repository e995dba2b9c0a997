/** Stands between a client and the real API server, as its administrator, and breaks things on request. */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { parse } from 'yaml';
import { Connection } from '../../../common/kube/connection.ts';
import { KubeClient } from '../../../common/kube/client.ts';

/** What may happen to one request instead of being passed on as it is. */
export interface Fault {
  /** Ask the server with these parameters in place of the client's. */
  query?: Record<string, string>;
  /** Do not ask the server. */
  answer?: { status: number; body: string; headers?: Record<string, string> };
  /** Drop the connection before asking. */
  drop?: boolean;
  /** Told each piece of the answer; what it returns is sent. `cut` drops the connection, `stall` sends no more. */
  piece?: (piece: Buffer) => Buffer | 'cut' | 'stall';
}

export interface Seen {
  method: string;
  url: URL;
}

interface Kubeconfig {
  clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
  users: { user: { 'client-certificate-data': string; 'client-key-data': string } }[];
}

const decoded = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64');

export class FaultProxy implements AsyncDisposable {
  readonly seen: Seen[] = [];
  /** Asked for every request, which waits for the answer. */
  fault: (seen: Seen) => Fault | undefined | Promise<Fault | undefined> = () => undefined;
  readonly #server: Server;
  readonly #upstream: string;
  readonly #agent: Agent;
  readonly #sockets = new Set<Socket>();

  private constructor(upstream: string, agent: Agent) {
    this.#upstream = upstream;
    this.#agent = agent;
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch(() => response.destroy());
    });
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(kubeconfig: string): Promise<FaultProxy> {
    const config = parse(await readFile(kubeconfig, 'utf8')) as Kubeconfig;
    const cluster = config.clusters[0]?.cluster;
    const user = config.users[0]?.user;
    const agent = new Agent({
      keepAlive: true,
      ca: decoded(cluster?.['certificate-authority-data']),
      cert: decoded(user?.['client-certificate-data']),
      key: decoded(user?.['client-key-data']),
    });
    const proxy = new FaultProxy(cluster?.server ?? '', agent);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** A client of the API server by way of this proxy. Whoever asks closes its connection. */
  client(): KubeClient {
    return new KubeClient(new Connection({ cluster: 'faulty', credentials: { server: this.url, tls: {} } }));
  }

  count(method: string, matches: (url: URL) => boolean): number {
    return this.seen.filter((each) => each.method === method && matches(each.url)).length;
  }

  /** Drops every connection to clients, at once. */
  dropAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dropAll();
    this.#agent.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen = { method: request.method ?? '', url: new URL(request.url ?? '', this.#upstream) };
    this.seen.push(seen);
    const fault = (await this.fault(seen)) ?? {};
    if (fault.drop === true) {
      request.socket.destroy();
      return;
    }
    if (fault.answer !== undefined) {
      response.writeHead(fault.answer.status, fault.answer.headers).end(fault.answer.body);
      return;
    }
    const { host: _host, connection: _connection, ...headers } = request.headers;
    const asked = new URL(seen.url);
    for (const [name, value] of Object.entries(fault.query ?? {})) asked.searchParams.set(name, value);
    const onward = httpsRequest(asked, { method: seen.method, headers, agent: this.#agent }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      response.flushHeaders();
      this.#pass(answer, response, fault);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  }

  #pass(answer: IncomingMessage, response: ServerResponse, { piece }: Fault): void {
    answer.on('error', () => response.destroy());
    if (piece === undefined) {
      answer.pipe(response);
      return;
    }
    let isStalled = false;
    answer.on('data', (data: Buffer) => {
      if (isStalled) return;
      const verdict = piece(data);
      if (verdict === 'cut') response.destroy();
      else if (verdict === 'stall') isStalled = true;
      else response.write(verdict);
    });
    answer.on('end', () => {
      if (!isStalled) response.end();
    });
  }
}

export const isWatch = ({ url }: Seen): boolean => url.searchParams.has('watch');
export const isList = ({ method, url }: Seen): boolean => method === 'GET' && url.searchParams.has('limit');
