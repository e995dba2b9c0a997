/** Processes that are killed at each of their writes, over a real directory store; the API server is a session with its history. */
import assert from 'node:assert/strict';
import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { pino } from 'pino';
import type { NamespacePolicy } from '../../../../../common/api/namespace-policy.ts';
import type { HistoryEntry, Session } from '../../../../../common/api/session.ts';
import type { KubeClient } from '../../../../../common/kube/client.ts';
import { KubeError } from '../../../../../common/kube/errors.ts';
import { ObjectStore } from '../../../../../common/kube/object-store.ts';
import { parseMoney, ZERO } from '../../../../../common/rules/money.ts';
import type { Money } from '../../../../../common/rules/money.ts';
import { Costs } from '../../../../../operator/sessions/costs.ts';
import { ModelCharges } from '../../../../../operator/sessions/models/charges.ts';
import type { StoredCall } from '../../../../../operator/sessions/models/charges.ts';
import { LostCalls } from '../../../../../operator/sessions/models/lost-calls.ts';
import { OpenSessions } from '../../../../../operator/sessions/models/open-sessions.ts';
import { Policies } from '../../../../../operator/sessions/policies.ts';
import type { ArtifactStore, PutOptions } from '../../../../../operator/store/store.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { aSession } from '../../../../support/fixtures.ts';
import { KnownSessions } from '../../../../support/known-sessions.ts';
import { temporaryStore } from '../../../../support/temporary-store.ts';
import type { TemporaryStore } from '../../../../support/temporary-store.ts';
import { until } from '../../../../support/until.ts';

const usd = (text: string): Money => parseMoney(text) ?? assert.fail(text);

/** Where a process is killed: before its write of that number, or when it is done. */
interface Kill {
  at: number;
  isDone: boolean;
}

describe('calls that a killed operator has left open', () => {
  let temporary: TemporaryStore;
  let sessions: KnownSessions;
  let session: Session;
  let clock: FakeClock;

  beforeEach(async () => {
    temporary = await temporaryStore();
    sessions = new KnownSessions();
    session = sessions.add(aSession().running().build());
    clock = new FakeClock();
  });
  afterEach(() => temporary[Symbol.asyncDispose]());

  const client = {
    async get() {
      const found = sessions.get('default', session.metadata.name);
      if (found === undefined) throw new KubeError('not found', { status: 404, reason: 'NotFound' });
      return found;
    },
    async mergePatch(_: unknown, __: unknown, { status }: { status: object }) {
      session = sessions.status(session, status);
    },
  } as unknown as KubeClient;

  function aProcess(
    process: string,
    { identity = 'r1', store = temporary.store }: { identity?: string; store?: ArtifactStore } = {},
  ) {
    const costs = new Costs({
      store,
      client,
      sessions,
      policies: new Policies(new ObjectStore<NamespacePolicy>({ cluster: 'test' })),
      clock,
      random: () => 0.5,
      onError: assert.ifError,
    });
    const openSessions = new OpenSessions({ store, process, identity, clock, onError: assert.ifError });
    const charges = new ModelCharges({ costs, openSessions, process, clock, onError: assert.ifError });
    const log = pino({ level: 'silent' });
    const lostCalls = new LostCalls({ store, client, costs, process, identity, clock, log });
    return { costs, openSessions, charges, lostCalls };
  }

  /** As a process sees it that is killed: nothing comes back any more. */
  function killedAt(kill: Kill): { store: ArtifactStore; killed: Promise<void>; writes: () => number } {
    const { promise: killed, resolve } = Promise.withResolvers<void>();
    const never = new Promise<never>(() => undefined);
    let writes = 0;
    const store = new Proxy<ArtifactStore>(temporary.store, {
      get(target, name: keyof ArtifactStore) {
        const method = target[name].bind(target) as (...args: unknown[]) => unknown;
        return async (...args: unknown[]) => {
          if (writes > kill.at) return await never;
          if (name !== 'put' && name !== 'remove') return await method(...args);
          if (writes++ < kill.at) return await method(...args);
          if (kill.isDone) await method(...args);
          resolve();
          return await never;
        };
      },
    });
    return { store, killed, writes: () => writes };
  }

  const sweep = ({ lostCalls }: ReturnType<typeof aProcess>) => lostCalls.sweep(new AbortController().signal);
  const told = (): HistoryEntry[] => sessions.get('default', session.metadata.name)?.status?.history ?? [];

  /** Three calls, of models of their own so that the cost tells them apart; the third never ends. How far each came. */
  function work(charges: ModelCharges): { done: Promise<void>; reached: Record<string, 'open' | 'settled'> } {
    const reached: Record<string, 'open' | 'settled'> = {};
    const open = async (model: string): Promise<StoredCall> => {
      const call = await charges.open(session, model, usd('0.40'));
      reached[model] = 'open';
      return call;
    };
    const settle = async (model: string, call: StoredCall, amount: Money): Promise<void> => {
      await call.settle(amount);
      reached[model] = 'settled';
    };
    const run = async (): Promise<void> => {
      const one = await open('one');
      const [two] = await Promise.all([open('two'), settle('one', one, usd('0.15'))]);
      await Promise.all([open('three'), settle('two', two, usd('0.25'))]);
    };
    return { done: run(), reached };
  }

  async function settledTruly(reached: Record<string, 'open' | 'settled'>): Promise<string> {
    const next = aProcess('next');
    const { breakdown = {} } = (await next.costs.of(session)) ?? {};
    const spent: Record<string, string> = { one: '0.15', two: '0.25', three: '-' };
    for (const model of ['one', 'two', 'three']) {
      const possible = {
        settled: [spent[model]],
        // The answer was charged, and nobody was told any more; or it was not.
        open: ['0.40', spent[model]],
        // Never passed on.
        none: [undefined, '0.40'],
      }[reached[model] ?? 'none'];
      assert.ok(possible.includes(breakdown[model]), `${model}, ${reached[model]}: ${breakdown[model]}`);
    }
    const all = await next.costs.sums(session);
    assert.ok(all.every(({ open }) => open.size === 0));
    assert.deepEqual(await temporary.store.listKeys('_calls/'), []);
    return JSON.stringify(breakdown);
  }

  it('are charged once, at most, wherever it was killed, and wherever whoever charges them is killed', async function () {
    this.timeout(30_000);
    let kills = 0;
    for (let at = 0; ; at++) {
      let wasKilled = false;
      for (const isDone of [false, true])
        // Its writes are three: the charge, and the removal of what it replaces and of what is done.
        for (const second of [undefined, (at + Number(isDone)) % 3]) {
          await temporary[Symbol.asyncDispose]();
          temporary = await temporaryStore();
          session = sessions.add(aSession().running().build());
          const { store, killed } = killedAt({ at, isDone });
          const { done, reached } = work(aProcess('first', { store }).charges);
          await Promise.race([killed.then(() => (wasKilled = true)), done]);
          if (second !== undefined) {
            const dying = killedAt({ at: second, isDone });
            const charging = sweep(aProcess('second', { store: dying.store }));
            await Promise.race([dying.killed, charging]);
          }
          const third = aProcess('third');
          await sweep(third);
          const cost = await settledTruly(reached);
          assert.ok(told().length <= 1, 'it is told once');
          if (cost.includes('0.40'))
            assert.deepEqual(
              [told()[0]?.event, told()[0]?.actor],
              ['CallsChargedAtMost', 'system:ambient-operator'],
            );
          await sweep(third);
          assert.equal(await settledTruly(reached), cost, 'and stays');
          kills++;
        }
      if (!wasKilled) break;
      assert.ok(at < 50);
    }
    assert.ok(kills > 30, String(kills));
  });

  const beatOf = async (process: string): Promise<number> => {
    const { body } = await temporary.store.get(`_calls/${process}.json`);
    return ((await json(body)) as { beat: number }).beat;
  };

  it('wait until another replica has been silent for long, and stay its own while it is not', async () => {
    const lost = aProcess('a', { identity: 'r1' });
    const other = aProcess('b', { identity: 'r2' });
    const call = await lost.charges.open(session, 'm', usd('0.40'));
    for (let beat = 1; beat <= 12; beat++) {
      await until(async () => (await beatOf('a')) === beat, 'it beats');
      await sweep(other);
      await clock.advance(15_000);
    }
    await until(async () => (await beatOf('a')) === 13, 'it beats');
    assert.equal(await other.costs.of(session), undefined, 'its beats are seen');
    await lost.openSessions[Symbol.asyncDispose]();
    await sweep(other);
    await clock.advance(59_000);
    await sweep(other);
    assert.equal(await other.costs.of(session), undefined);
    assert.deepEqual(told(), []);
    await clock.advance(1000);
    await sweep(other);
    assert.equal((await other.costs.of(session))?.total, '0.40');
    const [entry] = told();
    assert.deepEqual(entry?.data, {
      calls: 1,
      amount: '0.40 USD',
      models: 'm',
      state: 'gateway-a-1/1',
    });
    // It was only held up: what it says is true, and nothing counts twice.
    await call.settle(usd('0.10'));
    assert.equal((await other.costs.of(session))?.total, '0.10');
    await sweep(other);
    assert.equal((await other.costs.of(session))?.total, '0.10');
  });

  it('go back to what the machine kept where it has lost power, and never lose a charge', async () => {
    /** What nobody waited for the disk for. */
    const passing: string[] = [];
    const store = new Proxy<ArtifactStore>(temporary.store, {
      get(target, name: keyof ArtifactStore) {
        const method = target[name].bind(target) as (...args: unknown[]) => unknown;
        return (...args: unknown[]) => {
          if (name === 'put' && (args[2] as PutOptions).survives === 'process') passing.push(String(args[0]));
          return method(...args);
        };
      },
    });
    const { charges } = aProcess('a', { store });
    const one = await charges.open(session, 'one', usd('0.40'));
    assert.deepEqual(passing, [], 'the first of a session is kept');
    const states = async (): Promise<string[]> =>
      (await temporary.store.listKeys(`default/${session.metadata.uid}/cost/`)).map((key) =>
        key.slice(-6, -5),
      );
    await one.settle(usd('0.15'));
    await clock.advance(5000);
    await until(async () => (await states()).join() === '2', 'it is on the disk');
    await charges.open(session, 'two', usd('0.40'));
    await charges.open(session, 'three', usd('0.40'));
    await until(async () => (await states()).join() === '2,4', 'beside it stands what is not');
    for (const [bytes, spent] of [
      [undefined, { one: '0.15', three: '0.40', two: '0.40' }],
      [0, { one: '0.15' }],
    ] as const) {
      if (bytes !== undefined) await truncate(join(temporary.root, `${passing.at(-1)}@`), bytes);
      const next = aProcess('b');
      const cost = await next.costs.atMost(session);
      assert.deepEqual(cost?.breakdown, spent);
    }
    const third = aProcess('third');
    await sweep(third);
    assert.equal((await third.costs.of(session))?.total, '0.15');
    assert.deepEqual(await temporary.store.listKeys('_calls/'), []);
  });

  it('are added to what a session shows that has ended meanwhile, however often that must be tried', async () => {
    await aProcess('a').charges.open(session, 'm', usd('0.40'));
    session = sessions.status(session, { phase: 'Failed', cost: { total: '0.10' } });
    const next = aProcess('b');
    await sweep(next);
    assert.equal((await temporary.store.listKeys('_calls/')).length, 1, 'it is not shown yet');
    await until(() => session.status?.cost?.total === '0.40', 'it is shown');
    await sweep(next);
    assert.deepEqual(await temporary.store.listKeys('_calls/'), []);
    assert.equal(told().length, 1);
  });

  it('leave nothing to be done where a process has ended well, or its session is gone', async () => {
    const first = aProcess('a');
    const call = await first.charges.open(session, 'm', usd('0.40'));
    assert.equal((await temporary.store.listKeys('_calls/')).length, 1);
    await call.settle(ZERO);
    await first.openSessions[Symbol.asyncDispose]();
    assert.deepEqual(await temporary.store.listKeys('_calls/'), []);
    const second = aProcess('b');
    await second.charges.open(session, 'm', usd('0.40'));
    sessions.remove(session);
    await sweep(aProcess('c'));
    assert.deepEqual(await temporary.store.listKeys('_calls/'), []);
  });
});
