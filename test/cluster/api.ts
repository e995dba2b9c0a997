/** The few requests that bringing up a cluster needs, over one kept connection instead of a kubectl process each. */
import { Agent, request } from 'node:https';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

export interface Api extends Disposable {
  /** Status and body of any answer. Throws when there is none within 10 s. */
  send(
    method: string,
    path: string,
    body?: unknown,
    contentType?: string,
  ): Promise<{ status: number; body: string }>;
  /** Server-side apply of one object at its path. Throws on any other answer than success. */
  apply(path: string, object: unknown): Promise<void>;
  ready(): Promise<boolean>;
}

export async function openApi(stateDir: string, server: string): Promise<Api> {
  const pki = path.join(stateDir, 'pki');
  const [ca, cert, key] = await Promise.all(
    ['ca.crt', 'admin.crt', 'admin.key'].map((name) => readFile(path.join(pki, name))),
  );
  const agent = new Agent({ ca, cert, key, keepAlive: true, maxSockets: 8 });
  const api: Api = {
    send: (method, where, body, contentType = 'application/json') =>
      new Promise((resolve, reject) => {
        const outgoing = request(
          new URL(where, server),
          {
            method,
            agent,
            timeout: 10_000,
            headers: body === undefined ? {} : { 'content-type': contentType },
          },
          (answer) => {
            let text = '';
            answer.setEncoding('utf8');
            answer.on('data', (chunk: string) => (text += chunk));
            answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: text }));
            answer.on('error', reject);
          },
        );
        outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${where}: no answer in 10 s`)));
        outgoing.on('error', reject);
        outgoing.end(body === undefined ? undefined : JSON.stringify(body));
      }),
    async apply(where, object) {
      const answer = await api.send(
        'PATCH',
        `${where}?fieldManager=cluster&force=true`,
        object,
        'application/apply-patch+yaml',
      );
      if (answer.status >= 300) throw new Error(`apply ${where}: ${answer.status} ${answer.body}`);
    },
    async ready() {
      try {
        return (await api.send('GET', '/readyz')).status === 200;
      } catch {
        return false;
      }
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
  return api;
}
