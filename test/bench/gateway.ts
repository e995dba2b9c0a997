/**
 * The gateway to models: what it adds to the first byte of an answer, against the same stand-in asked directly, alone and while it
 * holds many streams; what a stream costs it in memory and CPU; and that the money is exact in the end.
 */
import { once } from 'node:events';
import { Agent as HttpAgent, request as askPlainly } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { Agent } from 'node:https';
import { MODELS_TOKEN_AUDIENCE } from '../../common/api/names.ts';
import type { Session } from '../../common/api/session.ts';
import { nodes, sessions } from '../../common/kube/resource.ts';
import { askingPod } from '../support/asking-pod.ts';
import type { AskingPod } from '../support/asking-pod.ts';
import { open } from '../support/https.ts';
import { anthropicStream, say } from '../support/model-answers.ts';
import { createModelTenant, MODEL_FLAGS } from '../support/model-tenant.ts';
import { current } from '../support/sessions.ts';
import { until } from '../support/until.ts';
import { webReceiver } from '../support/web-receiver.ts';
import type { WebReceiver } from '../support/web-receiver.ts';
import { percentile, pool, round } from './measure.ts';
import type { Figure, Section } from './measure.ts';
import { cpuMs, residentMiB } from './operator-cost.ts';
import { FRAMEWORK, openPlant } from './plant.ts';
import { sessionOf } from './sessions.ts';

const NAMESPACE = 'bench-gateway';
const PODS = 10;
const STREAMS_A_POD = 50;
const STREAMS = PODS * STREAMS_A_POD;
const ASKED = 2000;
/** Before anything is measured: what is new to a process is compiled, and every connection made. */
const WARMING = 20 * PODS;
/** Between two words of a held stream. */
const WORD_MS = 1000;
const SECONDS = 15;
const PATH = '/v1/messages';
const TOKENS = { input: 20_000, output: 100 };
/** 20,000 × 3 + 100 × 15 USD per million. */
const COST_NANO = 61_500_000n;

/** As large as what an agent sends with its tools. */
const BODY = JSON.stringify({
  model: 'claude-sonnet-4-6',
  max_tokens: 1000,
  stream: true,
  system: 'x'.repeat(85_000),
  messages: [{ role: 'user', content: 'Hi' }],
});
const SLOWLY = BODY.replace('"Hi"', '"slowly"');

export const gateway: Section = {
  name: 'gateway',
  async run(log) {
    const opened = await openPlant(log);
    if (typeof opened === 'string') return opened;
    await using plant = opened;
    const { client } = plant;
    // Pods wait for a node, so that sessions go on for as long as we want.
    for (const { metadata } of (await client.list(nodes)).items)
      await client.mergePatch(nodes, { name: metadata.name }, { spec: { unschedulable: true } });
    await using provider = await webReceiver();
    const held = new Set<ReturnType<typeof setInterval>>();
    const endings = new Set<() => void>();
    answer(provider, held, endings);
    await createModelTenant(plant, NAMESPACE, provider.port, {
      models: { budget: { monthly: '100000.00', perSession: '1000.00' } },
    });
    await using operator = await plant.startOperator(MODEL_FLAGS);
    const at = { host: plant.cluster.nodeHostAddress, port: operator.ports.runners };
    const launched: Session[] = [];
    const pods: AskingPod[] = [];
    for (let index = 0; index < PODS; index++) {
      const session = await client.create(sessions, sessionOf(NAMESPACE, FRAMEWORK));
      launched.push(session);
      pods.push(await askingPod(client, session, at, MODELS_TOKEN_AUDIENCE));
    }
    const agents = pods.map(() => new Agent({ keepAlive: true }));
    const plain = new HttpAgent({ keepAlive: true });
    let calls = 0;
    const through = (index: number, body: string): Promise<IncomingMessage> => {
      calls++;
      const { server, token } = pods[index % PODS] ?? { server: { ...at, ca: '' }, token: '' };
      const agent = agents[index % PODS];
      return open(server, `/models/anthropic${PATH}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': token },
        body,
        ...(agent === undefined ? {} : { agent }),
      });
    };
    const directly = async (): Promise<IncomingMessage> => {
      const request = askPlainly({ port: provider.port, method: 'POST', path: PATH, agent: plain });
      request.end(BODY);
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      return response;
    };
    /** One after the other, each way in turn: both meet the same machine. */
    const compare = async (): Promise<{ direct: number[]; added: number[] }> => {
      const direct: number[] = [];
      const added: number[] = [];
      for (let index = 0; index < ASKED; index++) {
        direct.push(await firstByte(directly));
        added.push(await firstByte(() => through(index, BODY)));
      }
      const usual = percentile(direct, 50);
      return { direct, added: added.map((each) => each - usual) };
    };
    for (let index = 0; index < WARMING; index++) await firstByte(() => through(index, BODY));

    log(`${ASKED} calls each way, nothing else going on`);
    const alone = await compare();
    log(`${STREAMS} streams at once`);
    const before = await residentMiB(operator.pid);
    const streams: IncomingMessage[] = [];
    let ended = 0;
    await pool(STREAMS, 50, async (index) => {
      const stream = await through(index, SLOWLY);
      stream.on('end', () => ended++);
      stream.on('error', () => undefined);
      stream.resume();
      streams.push(stream);
    });
    const cpuBefore = await cpuMs(operator.pid);
    const wallBefore = performance.now();
    await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
    const cpu = ((await cpuMs(operator.pid)) - cpuBefore) / (performance.now() - wallBefore);
    const full = await residentMiB(operator.pid);
    log(`${ASKED} calls each way while they are held`);
    const busy = await compare();
    const isHeld = streams.filter(({ complete }) => !complete).length;
    for (const timer of held) clearInterval(timer);
    held.clear();
    for (const end of endings) end();
    endings.clear();
    await until(() => ended === STREAMS, 'all streams have ended', 60_000);
    const expected = BigInt(calls) * COST_NANO;
    let total = 0n;
    await until(
      async () => {
        total = 0n;
        for (const session of launched)
          total += nano((await current(session, client)).status?.cost?.total ?? '0');
        return total === expected;
      },
      'all is charged',
      30_000,
    ).catch(() => log(`charged ${total}, expected ${expected}`));
    for (const agent of agents) agent.destroy();
    plain.destroy();
    return [
      ...figures('alone', alone),
      ...figures(`beside ${STREAMS} streams`, busy),
      { name: 'streams held at once', value: isHeld, unit: '', bar: { atLeast: STREAMS } },
      {
        name: 'memory for each of them',
        value: round(((full - before) * 1024) / STREAMS),
        unit: 'KiB',
        note: `operator ${round(before)} → ${round(full)} MiB`,
      },
      {
        name: `CPU while each says a word every ${WORD_MS / 1000} s`,
        value: round(cpu * 100),
        unit: '%',
        note: 'of one core',
      },
      {
        name: 'charged of what was spent',
        value: round(Number((total * 10_000n) / expected) / 100, 2),
        unit: '%',
        bar: { atLeast: 100 },
        note: `${calls} calls, exact: ${String(total === expected)}`,
      },
    ];
  },
};

const figures = (when: string, { direct, added }: { direct: number[]; added: number[] }): Figure[] => [
  {
    name: `first byte, added ${when}, p50`,
    value: round(percentile(added, 50)),
    unit: 'ms',
    note: `directly p50 ${round(percentile(direct, 50))} ms, p99 ${round(percentile(direct, 99))} ms`,
  },
  {
    name: `first byte, added ${when}, p99`,
    value: round(percentile(added, 99)),
    unit: 'ms',
    bar: { atMost: 20 },
  },
];

/** Until the first byte of the body, in ms; the rest is read. */
async function firstByte(ask: () => Promise<IncomingMessage>): Promise<number> {
  const from = performance.now();
  const response = await ask();
  // The end may come with the first byte.
  const ended = once(response, 'end');
  await once(response, 'data');
  const took = performance.now() - from;
  if (response.statusCode !== 200) throw new Error(`answered ${response.statusCode}`);
  response.resume();
  await ended;
  return took;
}

/** At once, or slowly, until it is ended. */
function answer(
  provider: WebReceiver,
  held: Set<ReturnType<typeof setInterval>>,
  endings: Set<() => void>,
): void {
  const said = anthropicStream(TOKENS, 'Hello');
  const rest = said.chunks.slice(3);
  provider.answer = (response, { body }) => {
    provider.received.length = 0;
    if (!body.includes('"slowly"')) {
      say(response, said);
      return;
    }
    say(response, said, { count: 3 });
    const timer = setInterval(() => void response.write('event: ping\ndata: {"type":"ping"}\n\n'), WORD_MS);
    held.add(timer);
    endings.add(() => response.end(rest.join('')));
  };
}

const nano = (usd: string): bigint => {
  const [whole = '0', decimals = ''] = usd.split('.');
  return BigInt(whole) * 1_000_000_000n + BigInt(decimals.padEnd(9, '0'));
};
