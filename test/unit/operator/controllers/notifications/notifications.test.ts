/** The outbox on a real folder, with a clock that is told to move: order, retries, restarts, and what is given up. */
import assert from 'node:assert/strict';
import { rename, rm, writeFile } from 'node:fs/promises';
import { pino } from 'pino';
import { API_VERSION } from '../../../../../common/api/names.ts';
import type { NamespacePolicy, NamespacePolicySpec } from '../../../../../common/api/namespace-policy.ts';
import type { SessionTrigger } from '../../../../../common/api/session-trigger.ts';
import type { Session, SessionStatus } from '../../../../../common/api/session.ts';
import type { KubeClient } from '../../../../../common/kube/client.ts';
import { NotificationController } from '../../../../../operator/controllers/notifications/index.ts';
import { byUid, UID_INDEX } from '../../../../../operator/controllers/session/cleanup.ts';
import { answerTargetOf } from '../../../../../operator/record/notifications/answers.ts';
import { failed, refused } from '../../../../../operator/record/notifications/delivery.ts';
import type { Attempt } from '../../../../../operator/record/notifications/delivery.ts';
import type { Notification } from '../../../../../operator/record/notifications/events.ts';
import type { Target } from '../../../../../operator/record/notifications/targets.ts';
import type { ArtifactStore } from '../../../../../operator/store/store.ts';
import { Policies } from '../../../../../operator/sessions/policies.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { aPolicy, aSession } from '../../../../support/fixtures.ts';
import { temporaryStore } from '../../../../support/temporary-store.ts';
import type { TemporaryStore } from '../../../../support/temporary-store.ts';
import { until } from '../../../../support/until.ts';
import { watched } from '../../../../support/watched.ts';

const EVENTS = [
  'session.created',
  'session.started',
  'session.needs_input',
  'session.completed',
  'session.failed',
] as const;
const hook = (host: string, events: readonly (typeof EVENTS)[number][] = EVENTS) => ({
  url: `https://${host}/hook`,
  events: [...events],
});
const HOUR_MS = 3600_000;

describe('notifications', () => {
  let temporary: TemporaryStore;
  let clock: FakeClock;
  let sessions: ReturnType<typeof watched<Session>>;
  let policies: ReturnType<typeof watched<NamespacePolicy>>;
  let controller: NotificationController;
  let generation = 0;
  /** What the controller asks of the store and has no answer to yet. */
  let asking: number;
  /** `target event session` of each attempt. */
  let attempts: string[];
  let ids: string[];
  /** The trigger of the sessions that answer. */
  let answering: SessionTrigger | undefined;
  let answer: (target: Target, notification: Notification) => Attempt | Promise<Attempt>;
  const delivered: Attempt = { outcome: 'delivered' };
  const hostOf = ({ kind, label }: Target): string => (kind === 'answer' ? label : new URL(label).host);

  beforeEach(async () => {
    temporary = await temporaryStore();
    clock = new FakeClock();
    sessions = watched<Session>({ [UID_INDEX]: byUid });
    policies = watched<NamespacePolicy>();
    attempts = [];
    ids = [];
    asking = 0;
    answering = undefined;
    answer = () => delivered;
    setPolicy({ webhooks: [hook('a.example')] });
    controller = start();
    await settled();
  });
  afterEach(async () => {
    await controller.close(0);
    await temporary[Symbol.asyncDispose]();
  });

  function setPolicy(notifications: NamespacePolicySpec['notifications'], namespace = 'default'): void {
    const policy = aPolicy(namespace, notifications === undefined ? {} : { notifications });
    policy.metadata.generation = ++generation;
    const status = policies.store.get({ namespace, name: 'policy' })?.status;
    policies.tell({ ...policy, ...(status === undefined ? {} : { status }) });
  }

  function start(): NotificationController {
    const client = {
      async mergePatch(_: unknown, at: { namespace: string }, patch: { status: object }) {
        const policy = policies.store.get({ namespace: at.namespace, name: 'policy' });
        const notifications = {
          ...policy?.status?.notifications,
          ...(patch.status as NamespacePolicy['status'])?.notifications,
        };
        // As the API server applies a merge patch.
        for (const [key, value] of Object.entries(notifications))
          if (value === null) Reflect.deleteProperty(notifications, key);
        if (policy !== undefined)
          policies.tell({
            ...policy,
            status: { ...policy.status, notifications } as NonNullable<NamespacePolicy['status']>,
          });
        return policy;
      },
    };
    const made = new NotificationController({
      // Stands in for the API server, of which one verb is used.
      client: client as unknown as KubeClient,
      sessions: sessions.reflector,
      namespacePolicies: policies.reflector,
      policies: new Policies(policies.store),
      store: counted(temporary.store),
      deliver: async (_namespace, target, notification, signal) => {
        const ended = new Promise<never>((_, reject) =>
          signal.addEventListener('abort', () => reject(new Error('ended'))),
        );
        const result = await Promise.race([answer(target, notification), ended]);
        attempts.push(`${hostOf(target)} ${notification.event} ${notification.session?.name ?? ''}`);
        ids.push(notification.id);
        return result;
      },
      answerOf: (session) =>
        answering === undefined ? undefined : answerTargetOf(session, answering, 'the-operator'),
      mayAnswer: () => answering !== undefined,
      clock,
      random: () => 0,
      metrics: { attempted: () => undefined, waiting: () => undefined },
      log: pino({ level: 'silent' }),
    });
    made.start();
    return made;
  }

  function counted(store: ArtifactStore): ArtifactStore {
    return new Proxy(store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]): unknown => {
          const result: unknown = Reflect.apply(value, target, args);
          if (result instanceof Promise) {
            asking++;
            const done = (): void => void asking--;
            result.then(done, done);
          }
          return result;
        };
      },
    });
  }

  /** The store works in real time: waits until nothing more happens at this moment of the clock. */
  async function settled(): Promise<void> {
    for (let quiet = 0; quiet < 4;) {
      await new Promise((resolve) => setTimeout(resolve, 3));
      await clock.advance(0);
      quiet = asking === 0 ? quiet + 1 : 0;
    }
  }
  async function pass(milliseconds: number): Promise<void> {
    await clock.advance(milliseconds);
    await settled();
  }

  const at = (): string => new Date(clock.now()).toISOString();
  function tell(
    name: string,
    phase: 'Pending' | 'Running' | 'Completed' | 'Failed',
    namespace = 'default',
  ): Session {
    const known = sessions.store.get({ namespace, name });
    const status: SessionStatus = { ...known?.status, phase };
    if (phase === 'Running') status.workload = { startTime: at() };
    if (phase === 'Completed' || phase === 'Failed')
      status.conditions = [
        { type: phase, status: 'True', reason: 'Why', message: 'It ended.', lastTransitionTime: at() },
      ];
    const session = aSession(name).in(namespace).status(status).build();
    session.metadata.creationTimestamp = known?.metadata.creationTimestamp ?? at();
    sessions.tell(session);
    return session;
  }
  const stateOf = (namespace = 'default') =>
    policies.store.get({ namespace, name: 'policy' })?.status?.notifications;

  it('tell each step of a session once, in order, however often the watch tells it', async () => {
    for (const phase of ['Pending', 'Running', 'Running', 'Completed', 'Completed'] as const) {
      tell('s1', phase);
      await settled();
    }
    assert.deepEqual(attempts, [
      'a.example session.created s1',
      'a.example session.started s1',
      'a.example session.completed s1',
    ]);
    assert.equal(new Set(ids).size, 3);
  });

  it('tell each question of a session, and each time it waits for money, while it goes on', async () => {
    const running = tell('s1', 'Running');
    const waits = async (
      type: 'NeedsInput' | 'BudgetPaused',
      status: 'True' | 'False',
      message: string,
      asked = 0,
    ): Promise<void> => {
      const condition = { type, status, reason: 'Why', message, lastTransitionTime: at() };
      const { metadata } = sessions.store.get({ namespace: 'default', name: 's1' }) ?? running;
      const input = { open: true, asked };
      sessions.tell({
        ...running,
        metadata,
        status: { ...running.status, phase: 'Running', input, conditions: [condition] },
      });
      await pass(1000);
    };
    const told: string[] = [];
    answer = (_, { event, message }) => {
      if (event === 'session.needs_input') told.push(message);
      return delivered;
    };
    await waits('NeedsInput', 'True', 'Which branch?', 4);
    await waits('NeedsInput', 'True', 'Which branch?', 4);
    await waits('NeedsInput', 'True', 'Really?', 9);
    await waits('NeedsInput', 'False', 'Answered.', 9);
    await waits('BudgetPaused', 'True', 'Paused: All is spent.');
    await waits('BudgetPaused', 'False', 'There is budget again.');
    await waits('BudgetPaused', 'True', 'Paused: All is spent again.');
    assert.deepEqual(told, [
      'Session s1 asks: Which branch?',
      'Session s1 asks: Really?',
      'Session s1 is paused: All is spent.',
      'Session s1 is paused: All is spent again.',
    ]);
    // What a session waited for when it ended is nothing that anybody could still give.
    tell('s2', 'Failed');
    const over = sessions.store.get({ namespace: 'default', name: 's2' });
    const [end] = over?.status?.conditions ?? [];
    if (over !== undefined && end !== undefined)
      sessions.tell({
        ...over,
        status: { ...over.status, phase: 'Failed', conditions: [end, { ...end, type: 'BudgetPaused' }] },
      });
    await settled();
    assert.equal(told.length, 4);
  });

  it('tell everything of a session that was over before anybody looked, and was deleted at once', async () => {
    const session = aSession('quick')
      .status({ phase: 'Completed', workload: { startTime: at() } })
      .build();
    session.metadata.creationTimestamp = at();
    sessions.tell(session);
    sessions.drop(session);
    await settled();
    assert.deepEqual(attempts, [
      'a.example session.created quick',
      'a.example session.started quick',
      'a.example session.completed quick',
    ]);
    await until(
      async () => (await temporary.store.listKeys('_outbox/default/uid-of-quick/')).length === 0,
      'nothing is left',
    );
  });

  it('keep their order for a session while one of them fails, and others go on', async () => {
    answer = (_, { session }) => (session?.name === 's1' ? failed('it answered 500') : delivered);
    tell('s1', 'Pending');
    await settled();
    tell('s1', 'Running');
    tell('s2', 'Pending');
    await settled();
    assert.deepEqual(attempts, ['a.example session.created s1', 'a.example session.created s2']);
    answer = () => delivered;
    await pass(5000);
    assert.deepEqual(attempts.slice(2), ['a.example session.created s1', 'a.example session.started s1']);
    assert.equal(ids[0], ids[2], 'under the same id');
  });

  it('reach a target after an hour in which it answered 500, with ever longer waits, and say meanwhile why', async () => {
    answer = () => failed('it answered 500');
    tell('s1', 'Pending');
    await settled();
    await pass(3000);
    assert.deepEqual(stateOf(), {
      pending: 1,
      failed: 0,
      waiting: [{ target: 'https://a.example/…', reason: 'it answered 500', since: '2030-01-01T00:00:00Z' }],
    });
    for (let minute = 0; minute < 60; minute++) await pass(60_000);
    const tries = attempts.length;
    assert.ok(tries >= 9 && tries <= 12, `${tries} tries`);
    answer = () => delivered;
    await pass(HOUR_MS);
    assert.equal(attempts.length, tries + 1);
    await pass(3000);
    assert.deepEqual(stateOf(), { pending: 0, failed: 0 });
  }).timeout(20_000);

  it('are given up after 24 hours, shown as dead letters, and the next of the session is tried', async () => {
    answer = () => failed('it answered 500');
    tell('s1', 'Pending');
    await settled();
    for (let hour = 0; hour < 23; hour++) await pass(HOUR_MS);
    tell('s1', 'Running');
    await settled();
    assert.equal(stateOf()?.failed ?? 0, 0);
    for (let hour = 0; hour < 2; hour++) await pass(HOUR_MS);
    await pass(3000);
    assert.deepEqual([stateOf()?.pending, stateOf()?.failed], [1, 1]);
    const [letter] = stateOf()?.deadLetters ?? [];
    assert.deepEqual(
      [letter?.event, letter?.session, letter?.target, letter?.reason],
      ['session.created', 's1', 'https://a.example/…', 'it answered 500; tried for 24 h'],
    );
    assert.equal(attempts.at(-1), 'a.example session.started s1');
  }).timeout(20_000);

  it('go back to where the event of a session came from, once, when its trigger says so', async () => {
    setPolicy(undefined);
    answering = {
      apiVersion: API_VERSION,
      kind: 'SessionTrigger',
      metadata: { namespace: 'default', name: 'review' },
      spec: {
        source: 'github',
        session: { framework: { type: 'generic' } },
        answer: { as: 'comment', credential: { secretName: 'github', key: 'token' } },
      },
    };
    await settled();
    const asked = (user: string, name: string): Session => {
      const session = aSession(name)
        .spec({
          createdBy: { user },
          trigger: { source: 'github', name: 'review', origin: { repository: 'acme/shop', number: '7' } },
        })
        .status({ phase: 'Running', workload: { startTime: at() } })
        .build();
      session.metadata.creationTimestamp = at();
      sessions.tell(session);
      return session;
    };
    const ended = (session: Session): void =>
      sessions.tell({ ...session, status: { ...session.status, phase: 'Completed' } });
    const [ours, forged] = [asked('the-operator', 's1'), asked('eve', 's2')];
    await settled();
    assert.deepEqual(attempts, []);
    ended(ours);
    ended(forged);
    ended(ours);
    await settled();
    assert.deepEqual(attempts, ['comment on github acme/shop 7 session.completed s1']);
    await controller.close(0);
    controller = start();
    await settled();
    assert.equal(attempts.length, 1);
  });

  it('are given up at once when the target refuses', async () => {
    answer = () => refused('it answered 410: it wants no more');
    tell('s1', 'Pending');
    await settled();
    await pass(3000);
    assert.deepEqual([stateOf()?.pending, stateOf()?.failed, stateOf()?.deadLetters?.length], [0, 1, 1]);
    assert.equal(attempts.length, 1);
  });

  it('that are given up at the same time are all counted, and the newest are kept', async () => {
    answer = () => refused('it answered 410');
    for (let i = 0; i < 30; i++) tell(`s${i}`, 'Pending');
    for (let i = 0; i < 20; i++) await pass(300);
    await pass(3000);
    assert.deepEqual([stateOf()?.pending, stateOf()?.failed, stateOf()?.deadLetters?.length], [0, 30, 20]);
  });

  it('wait for as long as the target asks', async () => {
    answer = () => ({ outcome: 'failed', reason: 'it answered 429', afterMs: 600_000 });
    tell('s1', 'Pending');
    await settled();
    await pass(599_000);
    assert.equal(attempts.length, 1);
    await pass(2000);
    assert.equal(attempts.length, 2);
  });

  it('survive a restart: what was not delivered is, what was is not again', async () => {
    answer = (_, { event }) => (event === 'session.created' ? delivered : failed('it answered 500'));
    tell('s1', 'Pending');
    await settled();
    tell('s1', 'Running');
    await settled();
    await controller.close(0);
    tell('s1', 'Completed');
    attempts = [];
    answer = () => delivered;
    controller = start();
    await settled();
    assert.deepEqual(attempts, ['a.example session.started s1', 'a.example session.completed s1']);
  });

  it('are tried at once when the policy was changed, and dropped when it does not want them any more', async () => {
    answer = () => failed('there is no Secret hook');
    tell('s1', 'Pending');
    await settled();
    answer = () => delivered;
    setPolicy({ webhooks: [{ ...hook('a.example'), secret: 'hook' }] });
    await settled();
    assert.equal(attempts.length, 2);

    answer = () => failed('it answered 500');
    tell('s1', 'Running');
    await settled();
    setPolicy({ webhooks: [hook('b.example')] });
    await settled();
    await pass(3000);
    assert.equal(stateOf()?.pending ?? 0, 0);
    assert.ok(
      attempts.every((each) => each.startsWith('a.example')),
      'a new target is told of what comes later',
    );
    answer = () => delivered;
    tell('s1', 'Completed');
    await settled();
    assert.equal(attempts.at(-1), 'b.example session.completed s1');
  });

  it('do not tell what happened before they were wanted', async () => {
    tell('old', 'Pending', 'later');
    await pass(HOUR_MS);
    setPolicy({ webhooks: [hook('a.example')] }, 'later');
    await settled();
    tell('old', 'Running', 'later');
    await settled();
    assert.deepEqual(attempts, ['a.example session.started old']);
  });

  it('of one target that hangs do not keep those of another session or tenant', async () => {
    const { promise, resolve } = Promise.withResolvers<Attempt>();
    answer = (target) => (hostOf(target) === 'a.example' ? promise : delivered);
    setPolicy({ webhooks: [hook('b.example')] }, 'other');
    await settled();
    for (let i = 0; i < 40; i++) tell(`s${i}`, 'Pending');
    tell('theirs', 'Pending', 'other');
    await settled();
    assert.deepEqual(attempts, ['b.example session.created theirs']);
    resolve(delivered);
    await settled();
    for (let i = 0; i < 10; i++) await pass(300);
    assert.equal(attempts.length, 41);
  }).timeout(20_000);

  it('wait while the store is full or away, and are not lost, even of a session that is deleted meanwhile', async () => {
    const aside = `${temporary.root}-aside`;
    await rename(temporary.root, aside);
    await writeFile(temporary.root, 'no folder');
    tell('s1', 'Pending');
    await settled();
    sessions.drop(tell('s1', 'Failed'));
    await settled();
    assert.deepEqual(attempts, []);
    await rm(temporary.root);
    await rename(aside, temporary.root);
    for (let i = 0; i < 5; i++) await pass(30_000);
    assert.deepEqual(attempts, ['a.example session.created s1', 'a.example session.failed s1']);
  });

  it('tell of the budget each time its limit is reached', async () => {
    const warned = (since: string, status: 'True' | 'False' = 'True') => {
      const policy = aPolicy('default', {
        notifications: { webhooks: [{ ...hook('a.example'), events: ['budget.warning'] }] },
      });
      const conditions = [
        {
          type: 'BudgetWarning' as const,
          status,
          reason: 'Spent',
          message: '80 % is spent.',
          lastTransitionTime: since,
        },
      ];
      policies.tell({ ...policy, status: { conditions } });
    };
    warned(at());
    await settled();
    warned(at());
    await settled();
    await pass(31 * 24 * HOUR_MS);
    warned(at(), 'False');
    await settled();
    warned(at());
    await settled();
    assert.deepEqual(attempts, ['a.example budget.warning ', 'a.example budget.warning ']);
    assert.notEqual(ids[0], ids[1]);
  });
});
