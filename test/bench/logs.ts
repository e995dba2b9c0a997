/** A line printed in a real pod until a follower of the live API has it: runner, operator, aggregation and all. */
import { livePaths } from '../../common/api/live.ts';
import type { LogRecord } from '../../common/api/log.ts';
import { sessions } from '../../common/kube/resource.ts';
import { openDeployed } from './deployed.ts';
import { percentile, round } from './measure.ts';
import type { Section } from './measure.ts';
import { createNamespace, sessionOf } from './sessions.ts';

const LINES = 500;
const NAMESPACE = 'bench-logs';
/** Pod and follower share this machine's clock, so the line can carry the time it was printed. */
const COMMAND = `node -e 'let n = 0; const t = setInterval(() => { console.log("at " + Date.now()); if (++n === ${LINES}) clearInterval(t); }, 20)'`;

export const logs: Section = {
  name: 'logs',
  async run(log) {
    const opened = await openDeployed(log);
    if (typeof opened === 'string') return opened;
    await using deployed = opened;
    const { client } = deployed;
    await createNamespace(client, NAMESPACE);
    const session = sessionOf(NAMESPACE, 'generic');
    session.spec.framework.config = { command: COMMAND };
    const from = performance.now();
    const { metadata } = await client.create(sessions, session);
    // Before it runs: that it does is told up to a second after its first lines, as often as the kubelet looks.
    const path = livePaths.log(NAMESPACE, metadata.name, { follow: true });
    const { body } = await client.connection.stream(path, { timeoutMs: 0 });
    const delays: number[] = [];
    let first: number | undefined;
    let rest = '';
    for await (const chunk of body as AsyncIterable<Buffer>) {
      const now = Date.now();
      first ??= performance.now() - from;
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines.filter(Boolean)) {
        const printed = /^at (\d+)$/.exec((JSON.parse(line) as LogRecord).text)?.[1];
        if (printed !== undefined) delays.push(now - Number(printed));
      }
    }
    if (delays.length !== LINES) log(`${delays.length} of ${LINES} lines arrived`);
    return [
      {
        name: 'session created → first log record at a follower',
        value: round(first ?? Number.NaN, 0),
        unit: 'ms',
      },
      { name: 'log line in the pod → follower, p50', value: round(percentile(delays, 50), 0), unit: 'ms' },
      {
        name: 'log line in the pod → follower, p99',
        value: round(percentile(delays, 99), 0),
        unit: 'ms',
        bar: { atMost: 250 },
      },
    ];
  },
};
