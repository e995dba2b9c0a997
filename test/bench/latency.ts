/** One session alone: from the answer to its creation until its Job exists, as another client of the API server sees it. */
import { sessions } from '../../common/kube/resource.ts';
import { percentile, round } from './measure.ts';
import type { Section } from './measure.ts';
import { FRAMEWORK, openPlant } from './plant.ts';
import { createNamespace, sessionOf, watchEnds, watchJobs } from './sessions.ts';

const SAMPLES = 200;
/** Connections are opened and code is compiled in the first few. */
const WARM_UP = 20;
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
    await using started = await watchJobs(client, NAMESPACE);
    await using ended = await watchEnds(client, NAMESPACE);
    const writes: number[] = [];
    const times: number[] = [];
    for (let sample = -WARM_UP; sample < SAMPLES; sample++) {
      const asked = performance.now();
      const { metadata } = await client.create(sessions, sessionOf(NAMESPACE, FRAMEWORK));
      const from = performance.now();
      const at = await started.of(metadata.uid ?? '');
      // Alone means that nothing of the one before is still going on.
      await ended.of(metadata.uid ?? '');
      if (sample < 0) continue;
      writes.push(from - asked);
      times.push(Math.max(0, at - from));
    }
    return [
      { name: 'one write of this API server, p50', value: round(percentile(writes, 50)), unit: 'ms' },
      { name: 'one write of this API server, p99', value: round(percentile(writes, 99)), unit: 'ms' },
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
