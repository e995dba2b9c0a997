/**
 * Stands between an operator and the API server, counts what goes by, and can let something happen at a chosen write:
 * so a test kills an operator right after each of its writes without the operator knowing anything of tests.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import type { Cluster } from '../cluster/index.ts';

export interface Write {
  method: string;
  /** Path without query. */
  path: string;
  status: number;
}

export interface ApiProxy extends AsyncDisposable {
  /** http://127.0.0.1:port */
  readonly server: string;
  /** Requests other than watches, in order of their answers, with `METHOD /path`. */
  readonly requests: string[];
  /**
   * Called when the API server has answered a write that `counts`, before the answer goes on. When it resolves to false the
   * answer is never delivered.
   */
  onWrite: ((write: Write) => boolean | Promise<boolean>) | undefined;
}

/** Writes that belong to a session's life: neither leases nor reviews nor the operator's own certificates. */
export const isLifecycleWrite = ({ method, path }: Pick<Write, 'method' | 'path'>): boolean =>
  method !== 'GET' &&
  /\/(jobs|sessions|serviceaccounts)(\/|$)/.test(path) &&
  !path.includes('/ambient-system/');

export async function startApiProxy(cluster: Cluster): Promise<ApiProxy> {
  const file = parse(await readFile(cluster.kubeconfig, 'utf8')) as {
    clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
  };
  const target = file.clusters[0]?.cluster;
  if (target === undefined) throw new Error('the kubeconfig names no cluster');
  const ca = Buffer.from(target['certificate-authority-data'], 'base64');
  const agent = new Agent({ ca, keepAlive: true });
  const requests: string[] = [];

  const forward = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const { method = 'GET', url = '/', headers } = incoming;
    const path = url.split('?', 1)[0] ?? '';
    const upstream = httpsRequest(new URL(url, target.server), { method, agent, headers }, (answer) => {
      const status = answer.statusCode ?? 0;
      const deliver = (): void => {
        outgoing.writeHead(status, answer.headers);
        answer.pipe(outgoing);
      };
      if (!url.includes('watch=')) requests.push(`${method} ${path}`);
      const write = { method, path, status };
      if (proxy.onWrite === undefined || !isLifecycleWrite(write)) {
        deliver();
        return;
      }
      Promise.resolve(proxy.onWrite(write)).then(
        (go) => {
          if (go) deliver();
          else outgoing.destroy();
        },
        (error: Error) => outgoing.destroy(error),
      );
    });
    upstream.on('error', (error) => outgoing.destroy(error));
    outgoing.on('close', () => upstream.destroy());
    incoming.pipe(upstream);
  };

  const server = createServer({ keepAliveTimeout: 60_000 }, forward);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: ApiProxy = {
    server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    onWrite: undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      agent.destroy();
    },
  };
  return proxy;
}
