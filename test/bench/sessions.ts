/** Sessions and namespaces in bulk, as a busy cluster has them. */
import { randomUUID } from 'node:crypto';
import type { KubeObject } from '../../common/api/kubernetes.ts';
import { API_VERSION, POLICY_NAME } from '../../common/api/names.ts';
import type { NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import { isTerminal } from '../../common/api/session.ts';
import type { Session, SessionStatus } from '../../common/api/session.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import type { Job } from '../../common/kube/core-types.ts';
import { Reflector } from '../../common/kube/reflector.ts';
import { jobs, namespacePolicies, namespaces, sessions } from '../../common/kube/resource.ts';
import { pool } from './measure.ts';

/** As many at once as DESIGN's burst has senders. */
export const CONNECTIONS = 20;

export const sessionOf = (namespace: string, framework: string): Session => ({
  apiVersion: API_VERSION,
  kind: 'Session',
  metadata: { name: randomUUID(), namespace },
  spec: {
    framework: { type: framework, config: { command: 'true' } },
    displayName: 'A session of the bench',
  },
});

export async function createNamespace(client: KubeClient, name: string): Promise<void> {
  await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
}

/** A namespace with a policy; without one fifty sessions run at once. */
export async function createTenant(
  client: KubeClient,
  name: string,
  spec: NamespacePolicySpec = { concurrency: { maxSessions: 10_000 } },
): Promise<void> {
  await createNamespace(client, name);
  await client.create(namespacePolicies, {
    apiVersion: API_VERSION,
    kind: 'NamespacePolicy',
    metadata: { name: POLICY_NAME, namespace: name },
    spec,
  });
}

/** Creates so many sessions over CONNECTIONS connections. Returns how many were created each second. */
export async function createSessions(
  client: KubeClient,
  count: number,
  make: (index: number) => Session,
  created?: (session: Session) => void,
): Promise<number> {
  const from = performance.now();
  await pool(count, CONNECTIONS, async (index) => {
    const session = await client.create(sessions, make(index));
    created?.(session);
  });
  return count / ((performance.now() - from) / 1000);
}

/** Gives sessions the status they have when they are over, without an operator. */
export async function finishSessions(
  client: KubeClient,
  names: readonly { namespace: string; name: string }[],
): Promise<void> {
  await pool(names.length, CONNECTIONS, async (index) => {
    const at = names[index] ?? { namespace: '', name: '' };
    await client.mergePatch(sessions, { ...at, subresource: 'status' }, { status: FINISHED });
  });
}

/** A status of usual size. */
const FINISHED: SessionStatus = {
  phase: 'Failed',
  message: 'The command ended with exit code 1.',
  conditions: (['PolicyValidated', 'SourceReady', 'WorkloadCreated', 'Failed'] as const).map((type) => ({
    type,
    status: 'True' as const,
    reason: 'Bench',
    message: 'As told by the bench, in a sentence of usual length.',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  })),
  history: [1, 2, 3].map((seq) => ({
    seq,
    timestamp: '2026-01-01T00:00:00Z',
    event: 'session.started',
    actor: 'system:ambient-operator',
    data: { pod: 'ambient-00000000-0000-0000-0000-000000000000-abcde', node: 'node-1' },
  })),
  workload: { jobName: 'ambient-00000000-0000-0000-0000-000000000000', exitCode: 1 },
};

/** What a watch has told so far, and a way to wait for more without asking again and again. */
export interface Seen extends AsyncDisposable {
  /** When each session's UID was first told, in ms of performance.now(). */
  readonly at: ReadonlyMap<string, number>;
  /** Resolves with the time at which the UID was told. Throws after `timeoutMs`. */
  of(uid: string, timeoutMs?: number): Promise<number>;
  /** Resolves when so many were told. Throws after `timeoutMs`. */
  count(atLeast: number, timeoutMs?: number): Promise<void>;
}

const PATIENCE_MS = 300_000;

/** When each session of a namespace was first seen to have a Job, as another client of the API server sees it. */
export const watchJobs = (client: KubeClient, namespace: string): Promise<Seen> =>
  watch(
    new Reflector<Job>({ client, resource: jobs, namespace }),
    ({ metadata }) => metadata.ownerReferences?.[0]?.uid,
  );

/** When each session of a namespace was first seen to be over. */
export const watchEnds = (client: KubeClient, namespace: string): Promise<Seen> =>
  watch(new Reflector<Session>({ client, resource: sessions, namespace }), ({ metadata, status }) =>
    isTerminal(status?.phase) ? metadata.uid : undefined,
  );

async function watch<T extends KubeObject>(
  reflector: Reflector<T>,
  uidOf: (object: T) => string | undefined,
): Promise<Seen> {
  const at = new Map<string, number>();
  const waiting = new Set<() => void>();
  reflector.onChange(({ type, object }) => {
    const uid = uidOf(object);
    if (type === 'deleted' || uid === undefined || at.has(uid)) return;
    at.set(uid, performance.now());
    for (const look of waiting) look();
  });
  reflector.start();
  await reflector.synced();
  const when = async (what: string, isSo: () => boolean, timeoutMs: number): Promise<void> => {
    if (isSo()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = (): void => {
      if (isSo()) resolve();
    };
    waiting.add(look);
    const timer = setTimeout(() => reject(new Error(`waited ${timeoutMs / 1000} s for ${what}`)), timeoutMs);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      waiting.delete(look);
    }
  };
  return {
    at,
    of: async (uid, timeoutMs = PATIENCE_MS) => {
      await when(`session ${uid}`, () => at.has(uid), timeoutMs);
      return at.get(uid) ?? Number.NaN;
    },
    count: (atLeast, timeoutMs = PATIENCE_MS) =>
      when(`${atLeast} sessions`, () => at.size >= atLeast, timeoutMs),
    [Symbol.asyncDispose]: () => reflector.close(),
  };
}
