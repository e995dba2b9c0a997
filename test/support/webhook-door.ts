/** The webhook door over a store of the test's own, and in the place of the API server one that keeps what it is given. */
import { createHash, createHmac } from 'node:crypto';
import { request } from 'node:http';
import type { OutgoingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { fastify } from 'fastify';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { Framework } from '../../common/api/framework.ts';
import type { KubeObject } from '../../common/api/kubernetes.ts';
import type { NamespacePolicy, NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import { API_VERSION } from '../../common/api/names.ts';
import type { Session } from '../../common/api/session.ts';
import type { SessionTrigger, SessionTriggerSpec } from '../../common/api/session-trigger.ts';
import type { KubeClient, ObjectAddress } from '../../common/kube/client.ts';
import type { ConfigMap } from '../../common/kube/core-types.ts';
import { KubeError } from '../../common/kube/errors.ts';
import { ObjectStore } from '../../common/kube/object-store.ts';
import type { Resource } from '../../common/kube/resource.ts';
import {
  byWebhookHash,
  byWebhookId,
  WEBHOOK_HASH_INDEX,
  WEBHOOK_ID_INDEX,
} from '../../operator/sessions/webhooks/keys.ts';
import { exchangeOf, rememberExchange } from '../../operator/serve/rest/door.ts';
import { refusalOf } from '../../operator/serve/rest/errors.ts';
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

/** Sessions, Secrets and ConfigMaps, each as it was put in last. */
export class KeptObjects implements Pick<KubeClient, 'create' | 'get' | 'mergePatch'> {
  readonly sessions = new Map<string, Session>();
  readonly secrets = new Map<string, Record<string, string>>();
  readonly #configMaps = new Map<string, ConfigMap>();
  /** Thrown instead of an answer while it is set. */
  refuse: Error | undefined;
  /** Milliseconds until each answer. */
  delayMs = 1;

  async create<T extends KubeObject>(
    resource: Resource<T>,
    object: NoInfer<T>,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<T> {
    await this.#answer(options);
    const key = `${object.metadata.namespace}/${object.metadata.name}`;
    const kept = this.#of(resource.plural);
    if (kept.has(key)) throw new KubeError('exists', { status: 409, reason: 'AlreadyExists' });
    const made: KubeObject = structuredClone(object);
    made.metadata.uid = `uid-${kept.size + 1}`;
    made.metadata.resourceVersion = '1';
    kept.set(key, made);
    return made as T;
  }

  async get<T extends KubeObject>(
    resource: Resource<T>,
    at: ObjectAddress,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<T> {
    await this.#answer(options);
    const key = `${at.namespace}/${at.name}`;
    const found = resource.plural === 'secrets' ? this.#secret(key) : this.#of(resource.plural).get(key);
    if (found === undefined) throw new KubeError(`${key} not found`, { status: 404, reason: 'NotFound' });
    return found as T;
  }

  async mergePatch<T extends KubeObject>(
    _: Resource<T>,
    at: ObjectAddress,
    patch: object,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<T> {
    await this.#answer(options);
    const standing = this.#configMaps.get(`${at.namespace}/${at.name}`);
    const { metadata, data } = patch as Pick<ConfigMap, 'metadata' | 'data'>;
    if (standing === undefined) throw new KubeError('none', { status: 404, reason: 'NotFound' });
    if (standing.metadata.resourceVersion !== metadata.resourceVersion)
      throw new KubeError('changed', { status: 409, reason: 'Conflict' });
    const version = String(Number(metadata.resourceVersion) + 1);
    const next: ConfigMap = {
      ...standing,
      metadata: { ...standing.metadata, resourceVersion: version },
      data: { ...standing.data, ...data },
    };
    this.#configMaps.set(`${at.namespace}/${at.name}`, next);
    return next as KubeObject as T;
  }

  #of(plural: string): Map<string, KubeObject> {
    return plural === 'sessions' ? this.sessions : this.#configMaps;
  }

  #secret(key: string): KubeObject | undefined {
    const secret = this.secrets.get(key);
    if (secret === undefined) return undefined;
    const data = Object.fromEntries(
      Object.entries(secret).map(([field, value]) => [field, Buffer.from(value).toString('base64')]),
    );
    return { apiVersion: 'v1', kind: 'Secret', metadata: { name: key }, data } as KubeObject;
  }

  async #answer({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    await delay(this.delayMs, undefined, { signal }).catch(() => signal?.throwIfAborted());
    if (this.refuse !== undefined) throw this.refuse;
  }
}

export interface TestDoor extends AsyncDisposable {
  url: string;
  api: KeptObjects;
  audit: CollectedAudit;
  store: TemporaryStore;
  registry: Registry;
  /** Addresses with credentials that were no good. */
  strangers: string[];
  policies: ObjectStore<NamespacePolicy>;
  frameworks: ObjectStore<Framework>;
  /** Sessions as a watch has told of them so far. */
  known: ObjectStore<Session>;
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
  const known = new ObjectStore<Session>({ cluster: 'test' });
  frameworks.upsert(aFramework());
  const strangers: string[] = [];
  const clock = { now: Date.parse('2030-01-01T00:00:00Z'), ready: true };
  const door = makeWebhookDoor({
    client: api,
    store: store.store,
    audit,
    policies: new Policies(policies),
    stores: {
      sessions: known,
      namespacePolicies: policies,
      frameworks,
      sessionTriggers,
    },
    ready: () => clock.ready,
    operatorNamespace: 'ambient-system',
    onStranger: (address) => strangers.push(address),
    registry,
    log: pino({ level: 'silent' }),
    now: () => clock.now,
    elapsed: () => clock.now,
    ...more,
  });
  const log = pino({ level: 'silent' });
  const app = fastify({ logger: false, bodyLimit: 1024 });
  app.addHook('onRequest', async ({ raw }, reply) => {
    rememberExchange({
      request: raw,
      response: reply.raw,
      traceId: 'c'.repeat(32),
      log,
      signal: new AbortController().signal,
      closing: new AbortController().signal,
      facts: { route: 'unknown' },
    });
  });
  app.setErrorHandler((error, asked, reply) => {
    const { status, headers, body } = refusalOf(error, exchangeOf(asked));
    reply.code(status).headers(headers).send(body);
  });
  // The server is one without TLS here, which the door cannot know.
  await app.register(door.plugin as never, { prefix: '/api/v1/webhooks' });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/api/v1/webhooks`,
    api,
    audit,
    store,
    known,
    registry,
    strangers,
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
