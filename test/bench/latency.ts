/** One session alone: from the answer to its creation until its Job exists, as another client of the API server sees it. */
import { sessions } from '../../common/kube/resource.ts';
import { percentile, round } from './measure.ts';
import type { Section } from './measure.ts';
import { FRAMEWORK, openPlant } from './plant.ts';
import { createNamespace, sessionOf, until, watchJobs } from './sessions.ts';

const SAMPLES = 200;
const NAMESPACE = 'bench-latency';

export const latency: Section = {
  name: 'latency',
  async run(log) {
    const opened = await openPlant(log);
    if (typeof opened === 'string') return opened;
    await using plant = opened;
    await using _operator = await plant.startOperator();
    const { client } = plant;
    await createNamespace(client, NAMESPACE);
    await using watch = await watchJobs(client, NAMESPACE);
    const times: number[] = [];
    for (let sample = -10; sample < SAMPLES; sample++) {
      const created = await client.create(sessions, sessionOf(NAMESPACE, FRAMEWORK));
      const from = performance.now();
      const uid = created.metadata.uid ?? '';
      await until('the Job', () => watch.seen.has(uid), 30_000);
      // the first few warm up connections and code
      if (sample >= 0) times.push(Math.max(0, (watch.seen.get(uid) ?? 0) - from));
    }
    return [
      {
        name: 'one session alone: created → Job exists, p50',
        value: round(percentile(times, 50)),
        unit: 'ms',
        bar: { atMost: 8 },
      },
      {
        name: 'one session alone: created → Job exists, p99',
        value: round(percentile(times, 99)),
        unit: 'ms',
        bar: { atMost: 20 },
      },
    ];
  },
};
