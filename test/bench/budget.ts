/** A hundred sessions launched at once into a budget that has room for ten: what is promised, to the last billionth. */
import { POLICY_NAME } from '../../common/api/names.ts';
import type { NamespacePolicy } from '../../common/api/namespace-policy.ts';
import { jobs, namespacePolicies, sessions } from '../../common/kube/resource.ts';
import { formatMoney, parseMoney, plus, sum, ZERO } from '../../common/rules/money.ts';
import { until } from '../support/until.ts';
import { pool, round } from './measure.ts';
import type { Section } from './measure.ts';
import { FRAMEWORK, openPlant } from './plant.ts';
import { createTenant, sessionOf } from './sessions.ts';

const NAMESPACE = 'bench-budget';
const SESSIONS = 100;
/** The month has room for so many; their budget has no short form in binary. */
const ROOM = 10;
const EACH = '0.13';
const MONTHLY = '1.30';

export const budget: Section = {
  name: 'budget',
  async run(log) {
    const opened = await openPlant(log);
    if (typeof opened === 'string') return opened;
    await using plant = opened;
    await using _operator = await plant.startOperator();
    const { client } = plant;
    await createTenant(client, NAMESPACE, {
      models: { budget: { monthly: MONTHLY, perSession: EACH } },
      concurrency: { maxSessions: SESSIONS },
    });
    // Pods wait for a node: every session holds its budget and goes on.
    await plant.cluster.kubectl(['cordon', '-l', 'type=kwok']);
    const policy = (): Promise<NamespacePolicy> =>
      client.get(namespacePolicies, { namespace: NAMESPACE, name: POLICY_NAME });
    const from = performance.now();
    await pool(SESSIONS, SESSIONS, async () => {
      await client.create(sessions, sessionOf(NAMESPACE, FRAMEWORK));
    });
    const created = performance.now() - from;
    await until(
      async () => (await policy()).status?.usage?.sessions?.waiting === SESSIONS - ROOM,
      'all have been decided about',
      60_000,
    );
    const decided = performance.now() - from;
    const { status } = await policy();
    const started = (await client.list(jobs, { namespace: NAMESPACE })).items.length;
    const promised = plus(
      parseMoney(status?.usage?.budget?.reserved ?? '') ?? ZERO,
      parseMoney(status?.usage?.budget?.currentMonth ?? '') ?? ZERO,
    );
    const exact = formatMoney(sum(Array.from({ length: started }, () => parseMoney(EACH) ?? ZERO)));
    log(
      `${started} sessions with ${EACH} each hold ${formatMoney(promised)} of ${MONTHLY}; their exact sum is ${exact}`,
    );
    return [
      {
        name: `budget: USD promised to ${SESSIONS} launched at once`,
        value: Number(formatMoney(promised)),
        unit: 'USD',
        bar: { atMost: Number(MONTHLY) },
        note: `exact sum of ${started} sessions: ${exact}`,
      },
      { name: `budget: ${SESSIONS} created`, value: round(created), unit: 'ms' },
      {
        name: `budget: until every one runs or waits, and the policy says so`,
        value: round(decided),
        unit: 'ms',
        note: 'figures of a policy are written every 2 s at most',
      },
    ];
  },
};
