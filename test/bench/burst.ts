/** Many sessions at once: how fast they get their Jobs, beside how fast the same API server creates anything at all. */
import type { KubeClient } from '../../common/kube/client.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { round } from './measure.ts';
import type { Figure, Section } from './measure.ts';
import { cpuMs } from './operator-cost.ts';
import { FRAMEWORK, openPlant } from './plant.ts';
import {
  createNamespace,
  createSessions,
  createTenant,
  sessionOf,
  watchEnds,
  watchJobs,
} from './sessions.ts';

export const burst: Section = {
  name: 'burst',
  async run(log) {
    const opened = await openPlant(log);
    if (typeof opened === 'string') return opened;
    await using plant = opened;
    const { client } = plant;
    await createNamespace(client, 'bench-raw');
    // no operator runs yet: what the API server itself can take
    const raw = await createSessions(client, 500, () => sessionOf('bench-raw', FRAMEWORK));
    await plant.cluster.kubectl(['delete', 'namespace', 'bench-raw', '--wait=true'], { timeoutMs: 120_000 });
    await using operator = await plant.startOperator();
    const figures: Figure[] = [
      { name: 'raw create rate of this API server, 20 connections', value: round(raw), unit: '/s' },
    ];
    for (const count of [500, 2000]) figures.push(...(await oneBurst(client, operator, count, raw, log)));
    return figures;
  },
};

async function oneBurst(
  client: KubeClient,
  operator: OperatorProcess,
  count: number,
  raw: number,
  log: (line: string) => void,
): Promise<Figure[]> {
  const namespace = `bench-burst-${count}`;
  await createTenant(client, namespace);
  await using started = await watchJobs(client, namespace);
  // The fake nodes end every pod at once; a session is over when the operator has said so.
  await using ended = await watchEnds(client, namespace);
  const before = { cpu: await cpuMs(operator.pid), requests: await requestsOf(operator) };
  const from = performance.now();
  const created = await createSessions(client, count, () => sessionOf(namespace, FRAMEWORK));
  await started.count(count);
  const rate = count / ((Math.max(...started.at.values()) - from) / 1000);
  log(`${count} sessions created at ${round(created)}/s while the operator worked`);
  await ended.count(count);
  const life = count / ((performance.now() - from) / 1000);
  const cpu = ((await cpuMs(operator.pid)) - before.cpu) / count;
  const requests = ((await requestsOf(operator)) - before.requests) / count;
  return [
    {
      name: `burst of ${count}: Jobs until every session has one`,
      value: round(rate),
      unit: '/s',
      bar: { atLeast: 100 },
      note: `${round((rate / raw) * 100, 0)} % of the raw rate`,
    },
    {
      name: `burst of ${count}: sessions until every one has ended`,
      value: round(life),
      unit: '/s',
      note: 'scheduler, Job controller and fake nodes included',
    },
    {
      name: `burst of ${count}: operator requests a session, whole life`,
      value: round(requests, 2),
      unit: '',
      bar: { atMost: 6 },
      note: 'without the runner’s one TokenReview',
    },
    {
      name: `burst of ${count}: operator CPU a session, whole life`,
      value: round(cpu, 2),
      unit: 'ms',
      bar: { atMost: 6 },
    },
  ];
}

const WRITES_AND_READS = new Set(['get', 'create', 'patch', 'delete']);

/** Requests for sessions: lists and watches are for all of them, updates are the lease. */
async function requestsOf(operator: OperatorProcess): Promise<number> {
  const asked = (await operator.requests()).filter(({ verb }) => WRITES_AND_READS.has(verb));
  return asked.reduce((sum, { count }) => sum + count, 0);
}
