/** REST as its callers feel it: two hundred sessions launched at once by as many connections, and pages of a list turned. */
import { Agent } from 'node:https';
import type { SessionDetail } from '../../common/api/rest/session.ts';
import { admissionAnswers, applyAdmission } from '../support/admission.ts';
import { aPerson, operatorAuthority, restAt } from '../support/rest.ts';
import { until } from '../support/until.ts';
import { percentile, pool, round } from './measure.ts';
import type { Section } from './measure.ts';
import { cpuMs } from './operator-cost.ts';
import { FRAMEWORK, openPlant } from './plant.ts';
import { createTenant } from './sessions.ts';

const AT_ONCE = 200;
const READS = 2000;
const READERS = 20;
const NAMESPACE = 'bench-rest';

export const rest: Section = {
  name: 'rest',
  async run(log) {
    const opened = await openPlant(log);
    if (typeof opened === 'string') return opened;
    await using plant = opened;
    const { client, cluster } = plant;
    await createTenant(client, NAMESPACE);
    await using operator = await plant.startOperator();
    await using _admission = await applyAdmission(
      cluster,
      `https://${cluster.nodeHostAddress}:${operator.ports.admission}/`,
    );
    await admissionAnswers(cluster);
    const token = await aPerson(cluster, NAMESPACE, 'editor', { [NAMESPACE]: 'ambient-editor' });
    const ask = restAt({
      host: cluster.nodeHostAddress,
      port: operator.ports.rest,
      ca: await operatorAuthority(cluster),
    });
    const path = `/namespaces/${NAMESPACE}/sessions`;
    const json = { framework: { type: FRAMEWORK, config: { command: 'true' } } };
    const launch = (agent: Agent) => ask(path, { method: 'POST', token, json, agent });
    const agents = Array.from({ length: AT_ONCE }, () => new Agent({ keepAlive: true }));
    const [first = new Agent()] = agents;
    await until(async () => (await launch(first)).status === 201, 'a session is launched', 30_000);
    // Connections are opened before: what is measured is the door.
    await Promise.all(agents.map((agent) => ask('/openapi.json', { agent })));

    log(`${AT_ONCE} sessions at once`);
    const launches: number[] = [];
    const ids = new Set<string>();
    const started = performance.now();
    await Promise.all(
      agents.map(async (agent) => {
        const from = performance.now();
        const { status, json: detail } = await launch(agent);
        launches.push(performance.now() - from);
        if (status === 201) ids.add((detail as SessionDetail).id);
      }),
    );
    const seconds = (performance.now() - started) / 1000;

    log(`${READS} pages of a list, ${READERS} readers`);
    const reads: number[] = [];
    let failed = 0;
    const cpuBefore = await cpuMs(operator.pid);
    await pool(READS, READERS, async (index) => {
      const agent = agents[index % READERS] ?? first;
      const from = performance.now();
      const { status } = await ask(`${path}?limit=20&offset=${(index % 10) * 20}`, { token, agent });
      reads.push(performance.now() - from);
      if (status !== 200) failed++;
    });
    const cpu = (await cpuMs(operator.pid)) - cpuBefore;
    for (const agent of agents) agent.destroy();
    return [
      {
        name: 'sessions launched at once that are there',
        value: ids.size,
        unit: '',
        bar: { atLeast: AT_ONCE },
        note: `${round(AT_ONCE / seconds)} /s`,
      },
      { name: 'launch, of 200 at once, p50', value: round(percentile(launches, 50)), unit: 'ms' },
      { name: 'launch, of 200 at once, p99', value: round(percentile(launches, 99)), unit: 'ms' },
      { name: 'page of 20 sessions, 20 readers, p50', value: round(percentile(reads, 50)), unit: 'ms' },
      { name: 'page of 20 sessions, 20 readers, p99', value: round(percentile(reads, 99)), unit: 'ms' },
      { name: 'pages that failed', value: failed, unit: '', bar: { atMost: 0 } },
      {
        name: 'operator CPU a page, its audit record included',
        value: round(cpu / READS, 2),
        unit: 'ms',
      },
    ];
  },
};
