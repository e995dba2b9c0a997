/** Calls at several replicas at once, each with all of its own, over one real directory store. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { pino } from 'pino';
import type { NamespacePolicy } from '../../../../../common/api/namespace-policy.ts';
import type { Session } from '../../../../../common/api/session.ts';
import { AmbientError } from '../../../../../common/errors.ts';
import type { KubeClient } from '../../../../../common/kube/client.ts';
import { ObjectStore } from '../../../../../common/kube/object-store.ts';
import { formatMoney, parseMoney, ZERO } from '../../../../../common/rules/money.ts';
import type { Money } from '../../../../../common/rules/money.ts';
import { Costs } from '../../../../../operator/sessions/costs.ts';
import { ModelCharges } from '../../../../../operator/sessions/models/charges.ts';
import { Holds } from '../../../../../operator/sessions/models/holds.ts';
import { OpenSessions } from '../../../../../operator/sessions/models/open-sessions.ts';
import { Reservations } from '../../../../../operator/sessions/models/reservations.ts';
import { Policies } from '../../../../../operator/sessions/policies.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { aPolicy, aSession } from '../../../../support/fixtures.ts';
import { KnownSessions } from '../../../../support/known-sessions.ts';
import { temporaryStore } from '../../../../support/temporary-store.ts';
import type { TemporaryStore } from '../../../../support/temporary-store.ts';

const usd = (text: string): Money => parseMoney(text) ?? assert.fail(text);
const LIMIT = '1.00';
const SIGNAL = new AbortController().signal;

describe('room for calls in the budget of a session', () => {
  let temporary: TemporaryStore;
  let sessions: KnownSessions;
  let session: Session;
  let clock: FakeClock;
  let policies: Policies;

  beforeEach(async () => {
    temporary = await temporaryStore();
    sessions = new KnownSessions();
    session = sessions.add(aSession().in('team-a').running().build());
    clock = new FakeClock();
    const store = new ObjectStore<NamespacePolicy>({ cluster: 'test' });
    store.upsert(aPolicy('team-a', { models: { budget: { monthly: '10.00', perSession: LIMIT } } }));
    policies = new Policies(store);
  });
  afterEach(() => temporary[Symbol.asyncDispose]());

  function aReplica(process: string, random = () => 0.5): { holds: Holds; costs: Costs } {
    const { store } = temporary;
    const onError = assert.ifError;
    const client = { mergePatch: async () => undefined } as unknown as KubeClient;
    const costs = new Costs({ store, client, sessions, policies, clock, random, onError });
    const openSessions = new OpenSessions({ store, process, identity: process, clock, onError });
    const holds = new Holds({
      ...{ sessions, policies, costs },
      reservations: new Reservations({ clock, random }),
      charges: new ModelCharges({ costs, openSessions, process, clock, onError }),
      shortages: {
        meet: async () => {
          throw new AmbientError('budget_exceeded', 'spent');
        },
        mended: () => undefined,
      },
      log: pino({ level: 'silent' }),
    });
    return { holds, costs };
  }
  const need = (most: string) => ({ model: 'm', most: usd(most), assert: () => undefined, signal: SIGNAL });

  it('is stored before a call is made, and waited for where another replica has it', async () => {
    const [one, other] = [aReplica('a'), aReplica('b')];
    // Remembers that nobody else holds any.
    (await other.holds.hold(session, need('0.10'))).settle(ZERO);
    const first = await one.holds.hold(session, need('0.60'));
    const { open } = await aReplica('c').costs.standing(session);
    assert.deepEqual([...open.values()].map(formatMoney), ['0.60']);
    let isIn = false;
    const second = other.holds.hold(session, need('0.50')).then((held) => {
      isIn = true;
      return held;
    });
    const states = async () => (await one.costs.sums(session)).map(({ source, seq }) => [source, seq]);
    const takenBack = [
      ['gateway-a-1', 1],
      ['gateway-b-1', 4],
    ];
    while (!isDeepStrictEqual(await states(), takenBack)) {
      assert.ok(!isIn);
      await clock.advance(500);
      await sleep(10);
    }
    for (let times = 0; times < 5; times++) {
      await clock.advance(500);
      await sleep(10);
    }
    assert.ok(!isIn);
    assert.deepEqual(await states(), takenBack, 'taken back once, and only looked for from then on');
    first.settle(usd('0.10'));
    while (!isIn) {
      await clock.advance(100);
      await sleep(5);
    }
    (await second).settle(ZERO);
    const last = other.holds.hold(session, need('0.95'));
    await assert.rejects(last, /spent/);
  });

  it('is never given twice, however calls come to several replicas at once', async function () {
    this.timeout(30_000);
    const replicas = ['a', 'b', 'c'].map((process) => aReplica(process, Math.random));
    let held: Money = ZERO;
    let spent: Money = ZERO;
    let made = 0;
    const run = async (index: number): Promise<void> => {
      const replica = replicas[index % replicas.length] ?? assert.fail();
      const got = await replica.holds.hold(session, need('0.40')).catch((error: unknown) => {
        assert.match(String(error), /spent/);
        return undefined;
      });
      if (got === undefined) return;
      held = (held + usd('0.40')) as Money;
      assert.ok(held + spent <= usd(LIMIT), `${formatMoney(held)} beside ${formatMoney(spent)}`);
      await sleep(5);
      const cost = usd(index % 2 === 0 ? '0.10' : '0.02');
      held = (held - usd('0.40')) as Money;
      spent = (spent + cost) as Money;
      made++;
      got.settle(cost);
    };
    let isOver = false;
    const running = Promise.all(Array.from({ length: 30 }, (_, index) => run(index))).finally(
      () => (isOver = true),
    );
    while (!isOver) {
      await clock.advance(100);
      await sleep(2);
    }
    await running;
    // Nobody is refused while 0.40 USD are left.
    assert.ok(made >= 7, String(made));
    assert.equal((await aReplica('d').costs.of(session))?.total, formatMoney(spent));
  });
});
