/** A cluster with a past: 10,000 sessions in 1,000 namespaces, and an operator that starts cold. */
import { sessions } from '../../common/kube/resource.ts';
import { round } from './measure.ts';
import type { Section } from './measure.ts';
import { residentMiB } from './operator-cost.ts';
import { FRAMEWORK, openPlant } from './plant.ts';
import { CONNECTIONS, createNamespace, createSessions, sessionOf } from './sessions.ts';
import { pool } from './measure.ts';

const NAMESPACES = 1000;
const SESSIONS = 10_000;
const nameOf = (index: number): string => `bench-scale-${index % NAMESPACES}`;

export const scale: Section = {
  name: 'scale',
  async run(log) {
    const opened = await openPlant(log);
    if (typeof opened === 'string') return opened;
    await using plant = opened;
    const { client } = plant;
    log(`creating ${NAMESPACES} namespaces and ${SESSIONS} sessions`);
    await pool(NAMESPACES, CONNECTIONS, (index) => createNamespace(client, nameOf(index)));
    const names: { namespace: string; name: string }[] = [];
    await createSessions(
      client,
      SESSIONS,
      (index) => sessionOf(nameOf(index), FRAMEWORK),
      ({ metadata }) => names.push({ namespace: metadata.namespace ?? '', name: metadata.name }),
    );
    await pool(SESSIONS, CONNECTIONS, async (index) => {
      const at = names[index] ?? { namespace: '', name: '' };
      await client.mergePatch(sessions, { ...at, subresource: 'status' }, { status: finished });
    });
    const from = performance.now();
    await using operator = await plant.startOperator();
    const started = (performance.now() - from) / 1000;
    await new Promise((resolve) => setTimeout(resolve, 5000));
    return [
      {
        name: `${SESSIONS} sessions: operator start → ready, all read`,
        value: round(started, 2),
        unit: 's',
        bar: { atMost: 5 },
        note: 'process start and account token included',
      },
      {
        name: `${SESSIONS} sessions: operator resident memory`,
        value: round(await residentMiB(operator.pid)),
        unit: 'MiB',
        bar: { atMost: 256 },
      },
    ];
  },
};

/** A status of usual size. */
const finished = {
  phase: 'Failed',
  message: 'The command ended with exit code 1.',
  conditions: ['PolicyValidated', 'SourceReady', 'WorkloadCreated', 'Failed'].map((type) => ({
    type,
    status: 'True',
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
