/** Money against a real API server: reported to the runners' door with a pod's own token, as a runner does. */
import assert from 'node:assert/strict';
import { API_VERSION, OPERATOR_ACTOR, POLICY_NAME } from '../../common/api/names.ts';
import type { NamespacePolicy, NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import type { Session } from '../../common/api/session.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { events, jobs, namespacePolicies, namespaces, sessions } from '../../common/kube/resource.ts';
import { findCondition } from '../../common/rules/conditions.ts';
import { parseMoney, plus, ZERO } from '../../common/rules/money.ts';
import { askingPod } from '../support/asking-pod.ts';
import { recordedIn } from '../support/audit.ts';
import type { FakeCluster } from '../support/fake-cluster.ts';
import { aSession } from '../support/fixtures.ts';
import { ask } from '../support/https.ts';
import { policyIsKnown } from '../support/known-policy.ts';
import { lastingOperator } from '../support/lasting-operator.ts';
import type { LastingOperator } from '../support/lasting-operator.ts';
import { monthGoesOn } from '../support/month.ts';
import { current, endOf, finished, inPhase, workloadOf } from '../support/sessions.ts';
import { until } from '../support/until.ts';

/** A pod that waits for a node may report as one that runs. */
const PROMPT = { limits: { timeoutSeconds: 60, gracePeriodSeconds: 0 } };
const budgetOf = (monthly: string, perSession?: string): NamespacePolicySpec => ({
  models: { budget: { monthly, ...(perSession === undefined ? {} : { perSession }) } },
});

describe('the budget of a namespace', function () {
  this.timeout(90_000);
  let fake: FakeCluster;
  let client: KubeClient;
  let operator: LastingOperator;
  let count = 0;

  before(async function () {
    this.timeout(180_000);
    operator = await lastingOperator(this);
    ({ fake } = operator);
    ({ client } = fake);
  });

  after(async function () {
    this.timeout(60_000);
    await operator?.[Symbol.asyncDispose]();
  });

  // Longer than any test takes.
  beforeEach(async function () {
    this.timeout(200_000);
    await monthGoesOn(90_000);
  });

  async function restart(meanwhile: () => Promise<unknown> = () => Promise.resolve()): Promise<void> {
    await operator.process.kill();
    await meanwhile();
    await operator.startAgain();
  }

  async function aNamespace(spec: NamespacePolicySpec): Promise<string> {
    const name = `budget-${process.pid}-${++count}`;
    await client.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    await client.create(namespacePolicies, {
      apiVersion: API_VERSION,
      kind: 'NamespacePolicy',
      metadata: { name: POLICY_NAME, namespace: name },
      spec,
    });
    await policyIsKnown(client, name);
    return name;
  }

  const policyOf = (namespace: string): Promise<NamespacePolicy> =>
    client.get(namespacePolicies, { namespace, name: POLICY_NAME });
  const usageOf = async (namespace: string) => (await policyOf(namespace)).status?.usage;
  const conditionOf = async (namespace: string, type: string) =>
    findCondition((await policyOf(namespace)).status?.conditions, type)?.status;

  const launch = (namespace: string, name: string, budget?: string): Promise<Session> =>
    client.create(
      sessions,
      aSession(name)
        .in(namespace)
        .spec({
          ...PROMPT,
          ...(budget === undefined ? {} : { policy: { modelConstraints: { budget } } }),
        })
        .toCreate(),
    );

  const withPod = (session: Session) =>
    until(async () => (await workloadOf(client, session)).pods[0], `${session.metadata.name} has a pod`);
  const stop = (session: Session) =>
    client.mergePatch(
      sessions,
      { namespace: session.metadata.namespace, name: session.metadata.name, subresource: 'status' },
      {
        status: {
          stop: { requestedAt: '2030-01-01T00:00:00Z', requestedBy: 'ann', gracePeriodSeconds: 0 },
        },
      },
    );
  const waits = (session: Session): Promise<Session> =>
    inPhase(client, session, ({ status }) => status?.queue !== undefined, 'it waits');

  /** Sends usage records as the pod of the session would, numbered from `first`. */
  async function report(session: Session, first: number, ...costs: unknown[]): Promise<number> {
    const at = { host: fake.cluster.nodeHostAddress, port: operator.process.ports.runners };
    const { server, token } = await askingPod(client, session, at);
    const body = costs.map((costUsd, index) =>
      JSON.stringify({
        seq: first + index,
        time: '2030-01-01T00:00:00Z',
        type: 'usage',
        text: '',
        data: { costUsd, model: 'opus' },
      }),
    );
    const answer = await ask(server, '/runner/v1/events', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: body.join('\n'),
    });
    assert.equal(answer.status, 200, answer.text);
    return (answer.json as { acknowledged: number }).acknowledged;
  }

  it('asks the API server for nothing more where nobody waits', async () => {
    const namespace = await aNamespace({});
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const before = await operator.process.requests();
    const from = performance.now();
    const launched = await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        client.create(sessions, aSession(`s${n}`).in(namespace).toCreate()),
      ),
    );
    for (const session of launched) await finished(client, session);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const seconds = (performance.now() - from) / 1000;
    const asked = new Map<string, number>();
    for (const { verb, resource, count } of await operator.process.requests()) {
      const stood = before.find((each) => each.verb === verb && each.resource === resource)?.count ?? 0;
      if (count > stood) asked.set(`${verb} ${resource}`, count - stood);
    }
    const take = (what: string): number => {
      const taken = asked.get(what) ?? 0;
      asked.delete(what);
      return taken;
    };
    assert.equal(take('create jobs'), 40);
    // Begun, runs, ended; where pods are slow also what they wait for. Each is something people are told.
    const told = take('patch sessions/status') / 40;
    assert.ok(told >= 2 && told <= 6, `${told} writes to a session`);
    // Its data are held once it has lived for a while.
    assert.ok(take('patch sessions') <= 40);
    const figures = take('patch namespacepolicies/status');
    assert.ok(figures <= 2 + seconds / 2, `${figures} writes to the policy in ${seconds} s`);
    // Of the whole namespace, or of the operator itself.
    const rest = [...asked].filter(([what]) => !/^(?:list|watch) |^update leases$/.test(what));
    const sum = rest.reduce((all, [, count]) => all + count, 0);
    assert.ok(sum <= 8 + seconds / 5, JSON.stringify(rest));
    console.log(`      ${told.toFixed(2)} writes to a session, ${figures} to the policy, ${sum} others`);
  });

  describe('while sessions go on', () => {
    let held: AsyncDisposable;
    before(async () => {
      held = await fake.holdPods();
    });
    after(() => held[Symbol.asyncDispose]());

    it('is never promised twice: fifty launched at once hold ten dollars together, also when the operator dies', async () => {
      const namespace = await aNamespace(budgetOf('10.00'));
      const launching = Promise.all(
        Array.from({ length: 50 }, (_, n) => launch(namespace, `s${String(n).padStart(2, '0')}`, '1.00')),
      );
      await until(
        async () => (await client.list(jobs, { namespace })).items.length >= 4,
        'some have their Jobs',
        20_000,
        5,
      );
      await restart();
      const all = await launching;
      await until(async () => {
        const { active, waiting } = (await usageOf(namespace))?.sessions ?? {};
        return active === 10 && waiting === 40;
      }, 'ten have their turn and forty wait');
      await until(async () => (await client.list(jobs, { namespace })).items.length === 10, 'ten have Jobs');
      const usage = await usageOf(namespace);
      assert.deepEqual(
        [usage?.budget?.reserved, usage?.budget?.currentMonth, usage?.sessions],
        ['10.00', '0.00', { active: 10, waiting: 40, total: 50 }],
      );
      const states = await Promise.all(all.map((session) => current(session, client)));
      const waiting = states.filter(({ status }) => status?.queue !== undefined);
      assert.equal(waiting.length, 40);
      for (const { status } of waiting) {
        assert.equal(status?.queue?.reason, 'Budget');
        assert.equal(findCondition(status?.conditions, 'Admitted')?.reason, 'AwaitingBudget');
      }
      const running = states.filter(({ status }) => status?.queue === undefined);
      const [one, two] = running;
      assert.ok(one && two);
      await report(one, 1, '0.25');
      await until(async () => (await usageOf(namespace))?.budget?.currentMonth === '0.25', 'it is counted');
      assert.equal((await usageOf(namespace))?.budget?.reserved, '9.75');
      await stop(one);
      await finished(client, one);
      await until(async () => (await usageOf(namespace))?.budget?.reserved === '9.00', 'it holds no more');
      // What was given up is cleared away after the end.
      await until(async () => (await client.list(jobs, { namespace })).items.length === 9, 'its Job is gone');
      assert.equal((await usageOf(namespace))?.sessions?.waiting, 40, '0.75 are too little for the next');
      await stop(two);
      await until(async () => (await usageOf(namespace))?.sessions?.waiting === 39, 'the next one starts');
      const { budget } = (await usageOf(namespace)) ?? {};
      const together = plus(
        parseMoney(budget?.reserved ?? '') ?? ZERO,
        parseMoney(budget?.currentMonth ?? '') ?? ZERO,
      );
      assert.ok(together <= (parseMoney('10.00') ?? ZERO), JSON.stringify(budget));
    });

    it('stops a session that has spent its own', async () => {
      const namespace = await aNamespace(budgetOf('10.00', '1.00'));
      const session = await launch(namespace, 'own');
      assert.equal(await report(session, 1, '0.60', 'much', -3, 0.4), 4);
      const ended = await finished(client, session);
      assert.equal(endOf(ended), 'Failed/BudgetExceeded');
      assert.match(
        ended.status?.message ?? '',
        /^The session has spent 1\.00 USD, and its budget is 1\.00 USD\. Launch again with a higher budget/,
      );
      assert.deepEqual(
        [ended.status?.cost?.total, ended.status?.cost?.breakdown, ended.status?.stop?.requestedBy],
        ['1.00', { opus: '1.00' }, OPERATOR_ACTOR],
      );
      assert.equal(findCondition(ended.status?.conditions, 'BudgetExceeded')?.status, 'True');
      assert.deepEqual(
        ended.status?.history?.map(({ event, actor }) => [event, actor]),
        ['Created', 'BudgetExceeded', 'Failed'].map((event) => [event, OPERATOR_ACTOR]),
      );
      const records = await recordedIn(operator.process.storeDir, namespace);
      assert.ok(
        records.some(
          ({ resource, details }) => resource === 'sessions/stop' && details?.['reason'] === 'BudgetExceeded',
        ),
        'it is recorded',
      );
      assert.ok(
        operator.process.log.some((line) => line.includes('no amount are not counted')),
        'nonsense is noticed',
      );
      assert.match(await operator.process.metrics(), /ambient_budget_stops_total\{by="session"\} 1/);
    });

    it('stops all when it is spent, tells so, lets nobody start, and goes on when it is raised', async () => {
      const namespace = await aNamespace(budgetOf('2.00', '1.00'));
      const [a, b] = [await launch(namespace, 'a'), await launch(namespace, 'b')];
      await withPod(b);
      await report(a, 1, '0.90');
      await report(b, 1, '0.75');
      await until(
        async () => (await conditionOf(namespace, 'BudgetWarning')) === 'True',
        'people are warned',
      );
      // A single step may cost more than is left.
      await report(a, 2, '0.50');
      assert.equal(endOf(await finished(client, a)), 'Failed/BudgetExceeded');
      const other = await finished(client, b);
      assert.equal(endOf(other), 'Failed/BudgetExceeded');
      assert.match(
        other.status?.message ?? '',
        /^Namespace .* has spent 2\.15 USD this month, and its budget is 2\.00 USD\./,
      );
      await until(
        async () => (await conditionOf(namespace, 'BudgetExceeded')) === 'True',
        'the policy says so',
      );
      const usage = await usageOf(namespace);
      assert.deepEqual([usage?.budget?.currentMonth, usage?.budget?.percentUsed], ['2.15', 107.5]);
      const told = (await client.list(events, { namespace })).items.filter(
        ({ regarding }) => regarding?.kind === 'NamespacePolicy',
      );
      assert.deepEqual(told.map(({ reason }) => reason).toSorted(), ['BudgetExceeded', 'BudgetWarning']);

      const late = await waits(await launch(namespace, 'late'));
      assert.match(
        late.status?.message ?? '',
        /^Waiting for the budget of namespace .*: 2\.15 USD of 2\.00 USD are spent.* is reset on \d{4}-\d\d-01\.$/,
      );
      await client.mergePatch(
        namespacePolicies,
        { namespace, name: POLICY_NAME },
        { spec: budgetOf('4.00', '1.00') },
      );
      await withPod(late);
      await until(
        async () => (await conditionOf(namespace, 'BudgetExceeded')) === 'False',
        'there is money again',
      );
    });

    it('counts each record once over resending and death of the operator, and shows it in the end', async () => {
      const namespace = await aNamespace(budgetOf('10.00', '5.00'));
      const session = await launch(namespace, 'twice');
      await report(session, 1, '0.10', '0.20');
      await report(session, 2, '0.20', '0.000000003');
      await restart();
      await until(
        async () => (await current(session, client)).status?.cost?.total === '0.300000003',
        'it is shown',
      );
      assert.equal(await report(session, 1, '0.10', '0.20', '0.000000003', '0.05'), 4);
      await stop(session);
      const ended = await finished(client, session);
      assert.equal(ended.status?.cost?.total, '0.350000003');
      assert.equal(endOf(ended), 'Failed/Stopped');
      await until(
        async () => (await usageOf(namespace))?.budget?.currentMonth === '0.350000003',
        'it is counted',
      );
      await client.delete(sessions, { namespace, name: session.metadata.name });
      await until(async () => (await usageOf(namespace))?.sessions?.total === 0, 'the session is gone');
      assert.equal((await usageOf(namespace))?.budget?.currentMonth, '0.350000003', 'its money stays spent');
    });

    it('is reset when its day comes, also when no operator was there, and that is recorded', async () => {
      const namespace = await aNamespace(budgetOf('1.00', '1.00'));
      await until(async () => (await usageOf(namespace))?.budget !== undefined, 'it is counted');
      await restart(async () => {
        const budget = {
          currentMonth: '1.00',
          carried: '1.00',
          percentUsed: 100,
          lastReset: '2024-02-01T00:00:00Z',
        };
        await client.mergePatch(
          namespacePolicies,
          { namespace, name: POLICY_NAME, subresource: 'status' },
          { status: { usage: { budget } } },
        );
      });
      const now = new Date();
      const first = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1)).toISOString().slice(0, 10);
      await until(
        async () => (await usageOf(namespace))?.budget?.lastReset === `${first}T00:00:00Z`,
        'it has been reset',
      );
      assert.equal((await usageOf(namespace))?.budget?.currentMonth, '0.00');
      const records = await recordedIn(operator.process.storeDir, namespace);
      assert.ok(records.some(({ details }) => JSON.stringify(details ?? {}).includes('BudgetReset')));
      await withPod(await launch(namespace, 'next'));
    });

    it('lets all go on when the policy is deleted while they wait', async () => {
      const namespace = await aNamespace(budgetOf('1.00', '1.00'));
      const all = await Promise.all(['a', 'b', 'c'].map((name) => launch(namespace, name)));
      await until(async () => (await usageOf(namespace))?.sessions?.waiting === 2, 'two wait');
      await client.delete(namespacePolicies, { namespace, name: POLICY_NAME });
      for (const session of all) await withPod(session);
    });
  });
});
