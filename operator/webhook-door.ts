/** Composes the webhook door: what senders prove, what they may, and what becomes of it. */
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Framework } from '../common/api/framework.ts';
import type { NamespacePolicy } from '../common/api/namespace-policy.ts';
import type { Session } from '../common/api/session.ts';
import type { SessionTrigger } from '../common/api/session-trigger.ts';
import type { KubeClient } from '../common/kube/client.ts';
import type { ObjectStore } from '../common/kube/object-store.ts';
import { operatorUser } from '../common/rules/approval.ts';
import { readSecret, SecretProblem } from './record/notifications/secrets.ts';
import type { AuditTrail } from './record/audit.ts';
import { webhooks } from './serve/webhooks/plugin.ts';
import type { WebhooksPlugin } from './serve/webhooks/plugin.ts';
import type { Policies } from './sessions/policies.ts';
import { WebhookCredentials } from './sessions/webhooks/credentials.ts';
import { Deliveries } from './sessions/webhooks/deliveries.ts';
import { WebhookKeys } from './sessions/webhooks/keys.ts';
import { Payloads } from './sessions/webhooks/payloads.ts';
import { triggerPlanner } from './sessions/webhooks/plan.ts';
import { LocalBuckets, RateLimits } from './sessions/webhooks/rate-limits.ts';
import { SharedBuckets } from './sessions/webhooks/shared-buckets.ts';
import { Refusals } from './sessions/webhooks/refusals.ts';
import { isSpent, sweepSpent } from './sessions/webhooks/spent.ts';
import { SigningSecrets } from './sessions/webhooks/signing-secrets.ts';
import type { ArtifactStore } from './store/store.ts';

export interface WebhookDoorOptions {
  client: Pick<KubeClient, 'create' | 'get' | 'mergePatch'>;
  store: ArtifactStore;
  audit: AuditTrail;
  policies: Policies;
  stores: {
    sessions: ObjectStore<Session>;
    namespacePolicies: ObjectStore<NamespacePolicy>;
    frameworks: ObjectStore<Framework>;
    sessionTriggers: ObjectStore<SessionTrigger>;
  };
  /** Whether all policies are known. */
  ready: () => boolean;
  operatorNamespace: string;
  onStranger: (address: string) => void;
  registry: Registry;
  log: Logger;
  /** Milliseconds that a body may take. */
  bodyMs?: number;
  /** Milliseconds for everything else. */
  patienceMs?: number;
  now?: () => number;
  elapsed?: () => number;
}

export interface WebhookDoor {
  plugin: WebhooksPlugin;
  /** Removes what nobody needs any more; now and then. */
  tend(): Promise<void>;
}

export function makeWebhookDoor(options: WebhookDoorOptions): WebhookDoor {
  const { client, store, audit, policies, stores, log } = options;
  const { now = () => Date.now(), elapsed = () => performance.now() } = options;
  const payloads = new Payloads(store, now);
  const secrets = new SigningSecrets({
    read: async (namespace, reference, signal) => {
      if (namespace === options.operatorNamespace)
        throw new SecretProblem("no Secret of the operator's own namespace is used for webhooks");
      return await readSecret(client, namespace, reference, signal);
    },
    onState: ({ namespace, keyId }, problem) => {
      if (problem !== undefined) log.warn({ namespace, key: keyId, problem }, 'a webhook key cannot be used');
    },
    elapsed,
  });
  const plugin = webhooks({
    credentials: new WebhookCredentials({
      keys: new WebhookKeys(stores.namespacePolicies, now),
      secrets,
      ready: options.ready,
      now,
    }),
    deliveries: new Deliveries({
      client,
      sessions: stores.sessions,
      frameworks: stores.frameworks,
      policies,
      planner: triggerPlanner({
        triggers: stores.sessionTriggers,
        frameworks: stores.frameworks,
        policies,
        nonce: () => randomBytes(16).toString('hex'),
      }),
      payloads,
      isSpent: (namespace, name) => isSpent(store, namespace, name),
      audit,
      operator: operatorUser(options.operatorNamespace),
      now,
    }),
    payloads,
    limits: new RateLimits({
      rateLimitOf: (namespace) => policies.object(namespace)?.spec.webhookAuth?.rateLimit,
      buckets: new SharedBuckets({ client, namespace: options.operatorNamespace, now }),
      dryRuns: new LocalBuckets(now),
    }),
    refusals: new Refusals({
      audit,
      operatorNamespace: options.operatorNamespace,
      now,
      onError: (err) => log.warn({ err }, 'recording a refused delivery failed'),
    }),
    onStranger: options.onStranger,
    logger: log,
    metrics: options.registry,
    ...(options.bodyMs === undefined ? {} : { bodyMs: options.bodyMs }),
    ...(options.patienceMs === undefined ? {} : { patienceMs: options.patienceMs }),
  });
  return {
    plugin,
    tend: async () => {
      await payloads.sweep();
      await sweepSpent(store, now());
    },
  };
}
