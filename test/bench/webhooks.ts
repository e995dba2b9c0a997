/**
 * A hundred senders for a minute: signed pull requests, each delivery a session by a trigger, one in ten sent twice. How long
 * they wait for their answers, and whether anything is lost or made twice. The same senders go on while the oldest sessions are
 * deleted, as retention does in a cluster that has run for long: what the operator's memory does then is of the doors, and not of
 * ever more sessions that it knows.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { Agent } from 'node:https';
import { REST_BASE } from '../../common/api/rest/operation.ts';
import { API_VERSION, OPERATOR_NAME, OPERATOR_NAMESPACE, POLICY_NAME } from '../../common/api/names.ts';
import type { Session } from '../../common/api/session.ts';
import { Reflector } from '../../common/kube/reflector.ts';
import { sessions } from '../../common/kube/resource.ts';
import { admissionAnswers, applyAdmission } from '../support/admission.ts';
import { holdPods } from '../support/fake-cluster.ts';
import { ask } from '../support/https.ts';
import { operatorAuthority } from '../support/rest.ts';
import { until } from '../support/until.ts';
import { githubSignature } from '../support/webhook-door.ts';
import { webhookPayload } from '../support/webhook-payloads.ts';
import { percentile, round } from './measure.ts';
import type { Section } from './measure.ts';
import { cpuMs, residentMiB } from './operator-cost.ts';
import { FRAMEWORK, openPlant } from './plant.ts';
import type { Plant } from './plant.ts';
import { createNamespace } from './sessions.ts';

const SENDERS = 100;
const DURATION_MS = 60_000;
/** After that: until the old sessions are gone and the heap has its size, and then for as long as it is watched. */
const SETTLING_MS = 120_000;
const WATCHED_MS = 60_000;
/** Of the newest; older ones are deleted. */
const SESSIONS_KEPT = 300;
/** From the answer to a sender to its next delivery. */
const PAUSE_MS = 5000;
const NAMESPACE = 'bench-webhooks';
const ID = 'bench-0123456789abcdef';

export const webhooks: Section = {
  name: 'webhooks',
  async run(log) {
    const opened = await openPlant(log);
    if (typeof opened === 'string') return opened;
    await using plant = opened;
    const { client, cluster } = plant;
    await createNamespace(client, NAMESPACE);
    // What is measured is deliveries: one session has the only turn and keeps it, all others wait.
    await using _held = await holdPods(client);
    const secret = randomBytes(32).toString('hex');
    await using operator = await plant.startOperator();
    await using _admission = await applyAdmission(
      cluster,
      `https://${cluster.nodeHostAddress}:${operator.ports.admission}/`,
    );
    await admissionAnswers(cluster);
    await applyTenant(plant, secret);
    const server = {
      host: cluster.nodeHostAddress,
      port: operator.ports.rest,
      ca: await operatorAuthority(cluster),
    };
    const { payload } = webhookPayload('github-pull_request-opened');
    const body = JSON.stringify(payload);
    const headers = {
      'content-type': 'application/json',
      'x-github-event': 'pull_request',
      'x-hub-signature-256': githubSignature(secret, body),
    };
    const send = async (agent: Agent, delivery: string): Promise<{ status: number; id: unknown }> => {
      const { status, json } = await ask(server, `${REST_BASE}/webhooks/github?key=${ID}`, {
        method: 'POST',
        agent,
        headers: { ...headers, 'x-github-delivery': delivery },
        body,
      });
      return { status, id: (json as { sessionId?: string } | undefined)?.sessionId };
    };
    const first = new Agent({ keepAlive: true });
    await until(async () => (await send(first, 'warm-up')).status === 202, 'a delivery is taken', 30_000);
    log(
      `${SENDERS} senders for ${DURATION_MS / 1000} + ${(SETTLING_MS + WATCHED_MS) / 1000} s, ${body.length} bytes each`,
    );

    const times: number[] = [];
    const ids = new Map<string, unknown>();
    let refused = 0;
    let differing = 0;
    const started = performance.now();
    const over = started + DURATION_MS + SETTLING_MS + WATCHED_MS;
    const sender = async (index: number): Promise<void> => {
      const agent = new Agent({ keepAlive: true });
      await pause((index / SENDERS) * PAUSE_MS);
      for (let count = 0; performance.now() < over; count++) {
        const delivery = randomUUID();
        for (let sending = 0; sending < (count % 10 === 0 ? 2 : 1); sending++) {
          const from = performance.now();
          const { status, id } = await send(agent, delivery);
          if (from < started + DURATION_MS) times.push(performance.now() - from);
          if (status !== 202) refused++;
          else if (ids.has(delivery) && ids.get(delivery) !== id) differing++;
          else ids.set(delivery, id);
        }
        await pause(PAUSE_MS);
      }
      agent.destroy();
    };
    // What a watch has told exists: whatever is deleted afterwards was there.
    const made = new Set<string>();
    const watch = new Reflector<Session>({ client, resource: sessions, namespace: NAMESPACE });
    watch.onChange(({ object }) => made.add(object.metadata.name));
    watch.start();
    await watch.synced();
    const deleteOldest = async (): Promise<void> => {
      const deleted = new Set<string>();
      for (; performance.now() < over; await pause(1000)) {
        // Together: one after the other they are slower than the senders.
        const old = [...made].slice(0, -SESSIONS_KEPT).filter((name) => !deleted.has(name));
        await Promise.all(old.map((name) => client.delete(sessions, { namespace: NAMESPACE, name })));
        for (const name of old) deleted.add(name);
      }
    };
    const memory = { early: 0, late: 0 };
    const cpuBefore = await cpuMs(operator.pid);
    let cpu = 0;
    const observe = async (): Promise<void> => {
      await pause(DURATION_MS);
      cpu = (await cpuMs(operator.pid)) - cpuBefore;
      await pause(SETTLING_MS);
      memory.early = await residentMiB(operator.pid);
    };
    await Promise.all([
      ...Array.from({ length: SENDERS }, (_, index) => sender(index)),
      pause(DURATION_MS).then(deleteOldest),
      observe(),
    ]);
    memory.late = await residentMiB(operator.pid);
    const expected = new Set(ids.values());
    await until(() => made.size > expected.size, 'the watch has told of all', 10_000).catch(() => undefined);
    await watch.close();
    const lost = [...expected].filter((id) => typeof id !== 'string' || !made.has(id)).length;
    // The one of the warm-up is nobody's.
    const doubled = made.size - 1 - expected.size;
    first.destroy();
    return [
      {
        name: 'deliveries answered',
        value: times.length,
        unit: '',
        note: `${round(times.length / (DURATION_MS / 1000))} /s`,
      },
      { name: 'answer to a delivery, p50', value: round(percentile(times, 50)), unit: 'ms' },
      {
        name: 'answer to a delivery, p99',
        value: round(percentile(times, 99)),
        unit: 'ms',
        bar: { atMost: 250 },
      },
      {
        name: 'answer to a delivery, longest',
        value: round(Math.max(...times)),
        unit: 'ms',
        bar: { atMost: 2000 },
      },
      { name: 'deliveries refused', value: refused, unit: '', bar: { atMost: 0 } },
      { name: 'deliveries without their session', value: lost, unit: '', bar: { atMost: 0 } },
      { name: 'sessions made twice', value: doubled + differing, unit: '', bar: { atMost: 0 } },
      {
        name: 'operator CPU a delivery, session in line included',
        value: round(cpu / times.length),
        unit: 'ms',
      },
      {
        name: `operator memory, ${WATCHED_MS / 1000} s with ${SESSIONS_KEPT} sessions kept`,
        value: round(memory.late - memory.early),
        unit: 'MiB',
        // V8 collects what lies outside of its heap after 64 MiB of it, and this is half of such a step.
        bar: { atMost: 32 },
        note: `${round(memory.early)} → ${round(memory.late)} MiB, ${ids.size} deliveries in all`,
      },
    ];
  },
};

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

async function applyTenant({ cluster }: Plant, secret: string): Promise<void> {
  const at = { namespace: NAMESPACE };
  const rbac = 'rbac.authorization.k8s.io';
  const items = [
    { apiVersion: 'v1', kind: 'Secret', metadata: { ...at, name: 'hook' }, stringData: { github: secret } },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'Role',
      metadata: { ...at, name: 'hook' },
      rules: [{ apiGroups: [''], resources: ['secrets'], resourceNames: ['hook'], verbs: ['get'] }],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata: { ...at, name: 'hook' },
      roleRef: { apiGroup: rbac, kind: 'Role', name: 'hook' },
      subjects: [{ kind: 'ServiceAccount', name: OPERATOR_NAME, namespace: OPERATOR_NAMESPACE }],
    },
    {
      apiVersion: API_VERSION,
      kind: 'NamespacePolicy',
      metadata: { ...at, name: POLICY_NAME },
      spec: {
        concurrency: { maxSessions: 1 },
        webhookAuth: {
          keys: [{ id: ID, source: 'github', signing: { secretName: 'hook', key: 'github' } }],
          rateLimit: { requestsPerMinute: 100_000, burstSize: 10_000 },
        },
      },
    },
    {
      apiVersion: API_VERSION,
      kind: 'SessionTrigger',
      metadata: { ...at, name: 'review' },
      spec: {
        source: 'github',
        when: { events: ['pull_request'] },
        session: {
          displayName: 'Review of {{event.title}}',
          framework: { type: FRAMEWORK, config: { command: 'true' } },
        },
      },
    },
  ];
  const list = { apiVersion: 'v1', kind: 'List', items };
  await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(list) });
}
