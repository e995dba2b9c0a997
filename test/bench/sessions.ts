/** Sessions and namespaces in bulk, as a busy cluster has them. */
import { randomUUID } from 'node:crypto';
import { API_VERSION } from '../../common/api/names.ts';
import type { Session } from '../../common/api/session.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import type { Job } from '../../common/kube/core-types.ts';
import { Reflector } from '../../common/kube/reflector.ts';
import { jobs, namespaces, sessions } from '../../common/kube/resource.ts';
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

/** When each Job of a namespace was first seen, by the UID of the session it belongs to, in ms of performance.now(). */
export async function watchJobs(
  client: KubeClient,
  namespace: string,
): Promise<{ seen: Map<string, number> } & AsyncDisposable> {
  const seen = new Map<string, number>();
  const reflector = new Reflector<Job>({ client, resource: jobs, namespace });
  reflector.onChange(({ type, object }) => {
    const uid = object.metadata.ownerReferences?.[0]?.uid;
    if (type === 'added' && uid !== undefined) seen.set(uid, performance.now());
  });
  reflector.start();
  await reflector.synced();
  return { seen, [Symbol.asyncDispose]: () => reflector.close() };
}

export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 300_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
