/** A cluster with a past: 10,000 sessions in 1,000 namespaces, and an operator that starts cold. */
import { round } from './measure.ts';
import type { Section } from './measure.ts';
import { residentMiB } from './operator-cost.ts';
import { FRAMEWORK, openPlant } from './plant.ts';
import { CONNECTIONS, createNamespace, createSessions, finishSessions, sessionOf } from './sessions.ts';
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
    await finishSessions(client, names);
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
