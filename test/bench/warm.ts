/**
 * A session until its command says something, in real pods: in a namespace whose policy keeps a pod ready, and in one that keeps none,
 * one after the other. The pod that was taken has its successor before the next is launched.
 */
import { livePaths } from '../../common/api/live.ts';
import type { LogRecord } from '../../common/api/log.ts';
import { isTerminal } from '../../common/api/session.ts';
import { sessions } from '../../common/kube/resource.ts';
import { until } from '../support/until.ts';
import { allReady, keepReady } from '../support/warm-pods.ts';
import { openDeployed } from './deployed.ts';
import { percentile, round } from './measure.ts';
import type { Section } from './measure.ts';
import { createNamespace, sessionOf } from './sessions.ts';

const SAMPLES = 20;
const COLD = 'bench-cold';
const WARM = 'bench-warm';

export const warm: Section = {
  name: 'warm',
  async run(log) {
    const opened = await openDeployed(log);
    if (typeof opened === 'string') return opened;
    await using deployed = opened;
    const { client } = deployed;
    await createNamespace(client, COLD);
    await createNamespace(client, WARM);
    await keepReady(client, WARM, { warmPods: [{ framework: 'generic', count: 1 }] });

    /** Pods share this machine's clock, which has stamped the record. */
    const untilItSpeaks = async (namespace: string): Promise<number> => {
      const session = sessionOf(namespace, 'generic');
      session.spec.framework.config = { command: 'echo here' };
      const from = Date.now();
      const { metadata } = await client.create(sessions, session);
      const at = { namespace, name: metadata.name };
      const ended = await until(
        async () => {
          const found = await client.get(sessions, at);
          return isTerminal(found.status?.phase) ? found : undefined;
        },
        'the session is over',
        60_000,
        200,
      );
      if (namespace === WARM && ended.status?.warmPod === undefined)
        log(`${metadata.name} was not given the pod`);
      const { body } = await client.connection.stream(livePaths.log(namespace, metadata.name));
      let text = '';
      for await (const chunk of body) text += String(chunk);
      const records = text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as LogRecord);
      const first = records.find((record) => record.text === 'here');
      return Date.parse(first?.time ?? '') - from;
    };

    const times: Record<typeof COLD | typeof WARM, number[]> = { [COLD]: [], [WARM]: [] };
    // The first of each finds caches empty.
    for (let sample = -1; sample < SAMPLES; sample++)
      for (const namespace of [COLD, WARM] as const) {
        await allReady(client, WARM);
        const took = await untilItSpeaks(namespace);
        if (sample >= 0) times[namespace].push(took);
      }
    const figure = (what: string, values: readonly number[], p: number) => ({
      name: `created → first line of the command, ${what}, p${p}`,
      value: round(percentile(values, p), 0),
      unit: 'ms',
    });
    return [
      figure('pod of its own', times[COLD], 50),
      figure('pod of its own', times[COLD], 99),
      figure('pod kept ready', times[WARM], 50),
      figure('pod kept ready', times[WARM], 99),
      {
        name: 'pod of its own to pod kept ready, p50',
        value: round(percentile(times[COLD], 50) / percentile(times[WARM], 50)),
        unit: 'times',
        bar: { atLeast: 2 },
      },
    ];
  },
};
