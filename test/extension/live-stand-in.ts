/**
 * Stands between the editor and a real API server and answers what the operator's live API would: decisions become status,
 * as an administrator writes it, and audit records are what the test gives. Everything else is the API server's own answer.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import type { AuditRecord } from '../../common/api/audit.ts';
import { LIVE_API_VERSION } from '../../common/api/names.ts';
import type { Session } from '../../common/api/session.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { sessions } from '../../common/kube/resource.ts';
import type { Cluster } from '../cluster/index.ts';

const VERB = new RegExp(
  `^/apis/${LIVE_API_VERSION}/namespaces/([^/]+)/sessions/([^/]+)/(approve|reject|audit)$`,
);

export class LiveStandIn implements AsyncDisposable {
  readonly #admin: KubeClient;
  readonly #target: { server: string; agent: Agent };
  readonly #server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    this.#answer(request, response).catch((error: Error) => response.destroy(error));
  });
  audit: Partial<AuditRecord>[] = [];
  /** Who is taken for the one who decides: the tests' tokens are read by the API server alone. */
  decider = 'bob@example.com';
  /** What it gives is awaited before a request is passed on to the API server. */
  before: (url: string) => Promise<void> | undefined = () => undefined;

  private constructor(admin: KubeClient, target: { server: string; agent: Agent }) {
    this.#admin = admin;
    this.#target = target;
  }

  static async before(cluster: Cluster, admin: KubeClient): Promise<LiveStandIn> {
    const file = parse(await readFile(cluster.kubeconfig, 'utf8')) as {
      clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
    };
    const [first] = file.clusters;
    if (first === undefined) throw new Error('the kubeconfig names no cluster');
    const ca = Buffer.from(first.cluster['certificate-authority-data'], 'base64');
    const agent = new Agent({ ca, keepAlive: true });
    const standIn = new LiveStandIn(admin, { server: first.cluster.server, agent });
    await new Promise<void>((resolve) => standIn.#server.listen(0, '127.0.0.1', resolve));
    return standIn;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    this.#target.agent.destroy();
  }

  async #answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const [, namespace = '', name = '', verb] = VERB.exec((incoming.url ?? '').split('?', 1)[0] ?? '') ?? [];
    if (verb === undefined) {
      await this.before(incoming.url ?? '');
      return this.#forward(incoming, outgoing);
    }
    if (verb === 'audit') {
      outgoing.writeHead(200, { 'content-type': 'application/x-ndjson' });
      outgoing.end(this.audit.map((record) => `${JSON.stringify(record)}\n`).join(''));
      return;
    }
    let body = '';
    for await (const chunk of incoming) body += String(chunk);
    const { reason } = JSON.parse(body) as { reason?: string };
    await this.#decide(namespace, name, verb === 'approve' ? 'Approved' : 'Rejected', reason);
    outgoing.writeHead(200, { 'content-type': 'application/json' });
    outgoing.end(JSON.stringify({ kind: 'ApprovalDecision', apiVersion: LIVE_API_VERSION }));
  }

  async #decide(
    namespace: string,
    name: string,
    decision: 'Approved' | 'Rejected',
    reason: string | undefined,
  ): Promise<void> {
    const at = `${new Date().toISOString().slice(0, 19)}Z`;
    const because = reason === undefined ? {} : { reason };
    const said = `${decision} by ${this.decider}${reason === undefined ? '.' : `: ${reason}`}`;
    const common = { message: said, lastTransitionTime: at };
    const current: Session = await this.#admin.get(sessions, { namespace, name });
    const history = current.status?.history ?? [];
    await this.#admin.mergePatch(
      sessions,
      { namespace, name, subresource: 'status' },
      {
        status: {
          message: said,
          approval: { decision, by: this.decider, at, ...because },
          history: [
            ...history,
            { seq: history.length + 1, timestamp: at, event: decision, actor: this.decider, data: because },
          ],
          ...(decision === 'Approved'
            ? { conditions: [{ type: 'Approved', status: 'True', reason: 'Approved', ...common }] }
            : {
                phase: 'Failed',
                conditions: [
                  { type: 'Approved', status: 'False', reason: 'Rejected', ...common },
                  { type: 'Failed', status: 'True', reason: 'Rejected', ...common },
                ],
              }),
        },
      },
    );
  }

  #forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { method = 'GET', url = '/', headers } = incoming;
    const { server, agent } = this.#target;
    const upstream = httpsRequest(new URL(url, server), { method, agent, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(outgoing);
    });
    upstream.on('error', (error) => outgoing.destroy(error));
    outgoing.on('close', () => upstream.destroy());
    incoming.pipe(upstream);
  }
}
