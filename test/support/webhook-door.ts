/** The webhook door over a store of the test's own, and in the place of the API server one that keeps what it is given. */
import { createHash, createHmac } from 'node:crypto';
import { request } from 'node:http';
import type { OutgoingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { fastify } from 'fastify';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { Framework } from '../../common/api/framework.ts';
import type { KubeObject } from '../../common/api/kubernetes.ts';
import type { NamespacePolicy, NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import { API_VERSION } from '../../common/api/names.ts';
import type { Session } from '../../common/api/session.ts';
import type { SessionTrigger, SessionTriggerSpec } from '../../common/api/session-trigger.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { KubeError } from '../../common/kube/errors.ts';
import { ObjectStore } from '../../common/kube/object-store.ts';
import type { Resource } from '../../common/kube/resource.ts';
import {
  byWebhookHash,
  byWebhookId,
  WEBHOOK_HASH_INDEX,
  WEBHOOK_ID_INDEX,
} from '../../operator/sessions/webhooks/keys.ts';
import { Policies } from '../../operator/sessions/policies.ts';
import { makeWebhookDoor } from '../../operator/webhook-door.ts';
import type { WebhookDoorOptions } from '../../operator/webhook-door.ts';
import { CollectedAudit } from './audit.ts';
import { aFramework, aPolicy } from './fixtures.ts';
import { temporaryStore } from './temporary-store.ts';
import type { TemporaryStore } from './temporary-store.ts';

export const hashOf = (key: string): string => `sha256:${createHash('sha256').update(key).digest('hex')}`;

export const githubSignature = (secret: string, body: string | Buffer): string =>
  `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;

export const slackHeaders = (secret: string, body: string, at: number): Record<string, string> => {
  const timestamp = String(Math.floor(at / 1000));
  const hex = createHmac('sha256', secret).update(`v0:${timestamp}:${body}`).digest('hex');
  return { 'x-slack-request-timestamp': timestamp, 'x-slack-signature': `v0=${hex}` };
};

/** Of a framework that takes anything. */
export const DIRECT = { framework: { type: 'generic', config: { command: 'true' } } };

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Record<string, unknown>;
}

/** With headers as they are given, in pairs where one is sent twice. */
export async function post(
  url: string,
  body: string | Buffer | Iterable<Buffer>,
  headers: OutgoingHttpHeaders = {},
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const sent = request(url, { method: 'POST', headers }, (response) => {
    text(response).then(
      (said) =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: JSON.parse(said === '' ? '{}' : said) as Record<string, unknown>,
        }),
      reject,
    );
  });
  sent.on('error', reject);
  if (typeof body === 'string' || Buffer.isBuffer(body)) sent.end(body);
  else {
    for (const chunk of body) sent.write(chunk);
    sent.end();
  }
  return await promise;
}

export class KeptObjects implements Pick<KubeClient, 'create' | 'get'> {
  readonly sessions = new Map<string, Session>();
  readonly secrets = new Map<string, Record<string, string>>();
  secretReads = 0;
  /** Thrown instead of an answer while it is set. */
  refuse: Error | undefined;

  async create<T extends KubeObject>(_resource: Resource<T>, object: NoInfer<T>): Promise<T> {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (this.refuse !== undefined) throw this.refuse;
    const key = `${object.metadata.namespace}/${object.metadata.name}`;
    if (this.sessions.has(key)) throw new KubeError('exists', { status: 409, reason: 'AlreadyExists' });
    const made = structuredClone(object) as unknown as Session;
    made.metadata.uid = `uid-${this.sessions.size + 1}`;
    this.sessions.set(key, made);
    return made as unknown as T;
  }

  async get<T extends KubeObject>(
    resource: Resource<T>,
    { namespace, name }: { namespace?: string | undefined; name: string },
  ): Promise<T> {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (this.refuse !== undefined) throw this.refuse;
    const key = `${namespace}/${name}`;
    if (resource.plural === 'secrets') this.secretReads++;
    const secret = this.secrets.get(key);
    const data =
      secret === undefined
        ? undefined
        : Object.fromEntries(
            Object.entries(secret).map(([field, value]) => [field, Buffer.from(value).toString('base64')]),
          );
    const found = resource.plural === 'secrets' ? data && { data } : this.sessions.get(key);
    if (found === undefined) throw new KubeError(`${key} not found`, { status: 404, reason: 'NotFound' });
    return found as unknown as T;
  }
}

export interface TestDoor extends AsyncDisposable {
  url: string;
  api: KeptObjects;
  audit: CollectedAudit;
  store: TemporaryStore;
  registry: Registry;
  policies: ObjectStore<NamespacePolicy>;
  frameworks: ObjectStore<Framework>;
  /** Settable. */
  clock: { now: number; ready: boolean };
  policy(namespace: string, spec: NamespacePolicySpec, createdAt?: string): void;
  trigger(namespace: string, name: string, spec: SessionTriggerSpec): void;
}

export async function testDoor(more: Partial<WebhookDoorOptions> = {}): Promise<TestDoor> {
  const store = await temporaryStore();
  const api = new KeptObjects();
  const audit = new CollectedAudit();
  const registry = new Registry();
  const policies = new ObjectStore<NamespacePolicy>({
    cluster: 'test',
    indexes: { [WEBHOOK_HASH_INDEX]: byWebhookHash, [WEBHOOK_ID_INDEX]: byWebhookId },
  });
  const frameworks = new ObjectStore<Framework>({ cluster: 'test' });
  const sessionTriggers = new ObjectStore<SessionTrigger>({ cluster: 'test' });
  frameworks.upsert(aFramework());
  const clock = { now: Date.parse('2030-01-01T00:00:00Z'), ready: true };
  const door = makeWebhookDoor({
    client: api,
    store: store.store,
    audit,
    policies: new Policies(policies),
    stores: {
      sessions: new ObjectStore<Session>({ cluster: 'test' }),
      namespacePolicies: policies,
      frameworks,
      sessionTriggers,
    },
    ready: () => clock.ready,
    operatorNamespace: 'ambient-system',
    traceIdOf: () => 'c'.repeat(32),
    registry,
    log: pino({ level: 'silent' }),
    now: () => clock.now,
    elapsed: () => clock.now,
    ...more,
  });
  const app = fastify({ logger: false, bodyLimit: 1024 });
  await app.register(door.plugin, { prefix: '/api/v1/webhooks' });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/api/v1/webhooks`,
    api,
    audit,
    store,
    registry,
    policies,
    frameworks,
    clock,
    policy(namespace, spec, createdAt) {
      const policy = aPolicy(namespace, spec);
      if (createdAt !== undefined) policy.metadata.creationTimestamp = createdAt;
      policies.upsert(policy);
    },
    trigger(namespace, name, spec) {
      const metadata = { namespace, name, uid: `uid-of-${name}` };
      sessionTriggers.upsert({ apiVersion: API_VERSION, kind: 'SessionTrigger', metadata, spec });
    },
    async [Symbol.asyncDispose]() {
      app.server.closeAllConnections();
      await app.close();
      await store[Symbol.asyncDispose]();
    },
  };
}
