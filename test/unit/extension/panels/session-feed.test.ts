/** One session kept current for its page. The watch and the live API are stand-ins that do what the test says. */
import assert from 'node:assert/strict';
import type { Artifact } from '../../../../common/api/live.ts';
import type { Session } from '../../../../common/api/session.ts';
import { KubeError } from '../../../../common/kube/errors.ts';
import { Emitter } from '../../../../extension/ide/event.ts';
import type { PageFacts } from '../../../../extension/panels/page-facts.ts';
import { SessionFeed } from '../../../../extension/panels/session-feed.ts';
import type {
  SessionChange,
  SessionWatch,
  WatchState,
} from '../../../../extension/sessions/session-watch.ts';
import { aSession } from '../../../support/fixtures.ts';
import { until } from '../../../support/until.ts';

class StandInWatch implements SessionWatch {
  readonly sessions = new Map<string, Session>();
  readonly changes = new Emitter<SessionChange>();
  readonly states = new Emitter<WatchState>();
  state: WatchState = { phase: 'starting' };
  holders = 0;
  readonly onChange = this.changes.event;
  readonly onState = this.states.event;
  readonly ready = Promise.resolve();
  readonly store = {
    get: (name: string) => this.sessions.get(name),
    list: () => [...this.sessions.values()],
    size: 0,
  };

  acquire = (): SessionWatch => {
    this.holders += 1;
    return this;
  };

  dispose(): void {
    this.holders -= 1;
  }

  become(state: WatchState): void {
    this.state = state;
    this.states.fire(state);
  }

  set(session: Session): void {
    this.sessions.set(session.metadata.name, session);
    this.changes.fire({ type: 'updated', object: session });
  }

  remove(session: Session): void {
    this.sessions.delete(session.metadata.name);
    this.changes.fire({ type: 'deleted', object: session });
  }
}

const REF = { cluster: 'kind', namespace: 'team-a', name: 's1' };
const anArtifact = (path: string): Artifact => ({
  path,
  type: 'output',
  size: 1,
  contentType: 'text/plain',
  createdAt: '2030-01-01T00:00:00Z',
  digest: 'd',
});

describe('the feed of a session page', () => {
  let watch: StandInWatch;
  let feed: SessionFeed;
  let changes: number;
  let listings: number;
  let list: () => Promise<Artifact[]>;
  let facts: (session: Session) => Promise<PageFacts>;

  beforeEach(() => {
    watch = new StandInWatch();
    changes = 0;
    listings = 0;
    list = () => Promise.resolve([anArtifact('a.md')]);
    facts = () => new Promise(() => undefined);
    feed = make();
  });
  afterEach(() => feed.stop());

  const make = (ref: typeof REF & { uid?: string } = REF): SessionFeed =>
    new SessionFeed(ref, {
      watches: watch,
      listArtifacts: () => {
        listings += 1;
        return list();
      },
      facts: (_, session) => facts(session),
      onChange: () => (changes += 1),
      onError: () => undefined,
      gatherMs: 1,
      againMs: 1,
    });
  const changed = async (count = 1): Promise<void> =>
    void (await until(() => changes >= count, 'a change', 2000));
  const s1 = (version = '1'): Session => {
    const session = aSession('s1').in('team-a').running().build();
    session.metadata.resourceVersion = version;
    return session;
  };

  it('shows the session as soon as the watch has it, and learns its uid', async () => {
    feed.start();
    assert.deepEqual(feed.state(), { ref: REF });
    watch.sessions.set('s1', s1());
    watch.become({ phase: 'synced' });
    await changed();
    assert.equal(feed.state().view?.state, 'running');
    assert.equal(feed.ref.uid, 'uid-of-s1');
  });

  it('adds what one may do, and what the policy says, as soon as that is known', async () => {
    const known = Promise.withResolvers<PageFacts>();
    facts = () => known.promise;
    watch.sessions.set('s1', s1());
    watch.state = { phase: 'synced' };
    feed.start();
    await changed();
    assert.deepEqual(feed.state().refusals, undefined);
    known.resolve({ refusals: { stop: 'You may not.' }, policy: undefined, budget: '5.00' });
    await until(() => feed.state().refusals !== undefined, 'the answer', 2000);
    assert.deepEqual(feed.state().refusals, { stop: 'You may not.' });
    assert.deepEqual(feed.state().view?.cost?.budget, { limit: '$5.00', percent: 0 });
  });

  it('asks again what one may do when the session went on while it was asked', async () => {
    const asked: { version: string | undefined; answer: (facts: PageFacts) => void }[] = [];
    facts = (session) =>
      new Promise((resolve) => asked.push({ version: session.metadata.resourceVersion, answer: resolve }));
    watch.sessions.set('s1', s1('1'));
    watch.state = { phase: 'synced' };
    feed.start();
    watch.set(s1('2'));
    watch.set(s1('3'));
    asked[0]?.answer({ refusals: {}, policy: undefined });
    await until(() => asked.length === 2, 'the second question', 2000);
    asked[1]?.answer({ refusals: { approve: 'You launched it.' }, policy: undefined });
    await until(() => feed.state().refusals?.approve, 'the answer about the session as it is', 2000);
    assert.deepEqual(
      asked.map(({ version }) => version),
      ['1', '3'],
    );
  });

  it('gathers many changes into one', async () => {
    feed.stop();
    watch.state = { phase: 'synced' };
    feed.start();
    for (let version = 0; version < 100; version += 1)
      watch.set(aSession('s1').in('team-a').pending().build());
    await changed();
    assert.equal(changes, 1);
  });

  it('lists artifacts once for each version of the object', async () => {
    watch.sessions.set('s1', s1('1'));
    watch.state = { phase: 'synced' };
    feed.start();
    await until(() => feed.state().view?.artifacts.total === 1, 'the list', 2000);
    watch.changes.fire({ type: 'updated', object: s1('1') });
    assert.equal(listings, 1);
    list = () => Promise.resolve([anArtifact('a.md'), anArtifact('b.md')]);
    watch.set(s1('2'));
    await until(() => feed.state().view?.artifacts.total === 2, 'the new list', 2000);
    assert.equal(listings, 2);
    assert.equal(feed.artifact('b.md')?.path, 'b.md');
    assert.equal(feed.artifact('c.md'), undefined);
  });

  it('lists artifacts when it is started again, where it was stopped before the answer', async () => {
    list = () => new Promise(() => undefined);
    watch.sessions.set('s1', s1('1'));
    watch.state = { phase: 'synced' };
    feed.start();
    feed.stop();
    list = () => Promise.resolve([anArtifact('a.md')]);
    feed.start();
    await until(() => feed.state().view?.artifacts.total === 1, 'the list', 2000);
    feed.stop();
    feed.start();
    assert.equal(listings, 2, 'what was answered is not asked for again');
  });

  it('keeps the list it had when the live API does not answer, and says so', async () => {
    watch.sessions.set('s1', s1('1'));
    watch.state = { phase: 'synced' };
    feed.start();
    await until(() => feed.state().view?.artifacts.total === 1, 'the list', 2000);
    list = () => Promise.reject(new KubeError('no endpoints', { status: 503, reason: 'ServiceUnavailable' }));
    watch.set(s1('2'));
    const note = await until(() => feed.state().view?.artifacts.note, 'the note', 2000);
    assert.match(note, /operator does not answer/);
    assert.equal(feed.state().view?.artifacts.total, 1);
  });

  it('says what keeps it from the cluster, with a way to try again, and shows what it has', async () => {
    watch.sessions.set('s1', s1());
    watch.state = { phase: 'synced' };
    feed.start();
    watch.become({
      phase: 'reconnecting',
      error: new KubeError('connect ECONNREFUSED', { status: 0, reason: 'Unreachable' }),
    });
    const { view, problem } = feed.state();
    assert.equal(view?.state, 'running');
    assert.equal(problem?.title, 'The cluster cannot be reached');
    assert.deepEqual(problem?.actions[0], { id: 'retry', title: 'Retry' });
    assert.equal(feed.action('ambient.selectContexts')?.command, 'ambient.selectContexts');
    assert.equal(feed.action('workbench.action.quit'), undefined);
    watch.become({ phase: 'synced' });
    assert.equal(feed.state().problem, undefined);
  });

  it('tries again by itself when there was not even a connection', async () => {
    feed.start();
    watch.become({ phase: 'failed', error: new KubeError('no way', { status: 0, reason: 'Unreachable' }) });
    watch.sessions.set('s1', s1());
    watch.state = { phase: 'synced' };
    await until(() => feed.state().view, 'the session', 2000);
    assert.equal(feed.state().problem, undefined);
    assert.equal(watch.holders, 1);
  });

  it('keeps showing a session that is deleted, as deleted', async () => {
    watch.sessions.set('s1', s1());
    watch.state = { phase: 'synced' };
    feed.start();
    watch.remove(s1());
    const { view, problem } = feed.state();
    assert.deepEqual(
      [view?.stateWord, view?.canStop, problem?.title],
      ['deleted', false, 'This session was deleted'],
    );
  });

  it('says that there is no such session when it never was seen', () => {
    watch.state = { phase: 'synced' };
    feed.start();
    assert.equal(feed.state().view, undefined);
    assert.equal(feed.state().problem?.title, 'There is no such session');
  });

  it('finds one that was not there yet, also when it is asked to try again or was hidden meanwhile', () => {
    for (const [how, again] of [
      ['retry', () => feed.retry()],
      ['hidden and shown', () => (feed.stop(), feed.start())],
    ] as const) {
      watch.sessions.clear();
      feed = make();
      watch.state = { phase: 'synced' };
      feed.start();
      assert.equal(feed.state().problem?.title, 'There is no such session', how);
      again();
      watch.set(s1());
      assert.equal(feed.state().problem, undefined, how);
      assert.equal(feed.state().view?.state, 'running', how);
      feed.stop();
    }
  });

  it('does not take a later session of the same name for the one it shows, but offers it', () => {
    feed = make({ ...REF, uid: 'another' });
    watch.sessions.set('s1', s1());
    watch.state = { phase: 'synced' };
    feed.start();
    assert.equal(feed.state().view, undefined);
    assert.deepEqual(feed.state().problem?.actions[0], {
      id: 'openSuccessor',
      title: 'Open the New Session',
    });
    assert.equal(feed.successor?.uid, 'uid-of-s1');
  });

  it('gives the watch back when it is stopped, and takes it again when started', () => {
    feed.start();
    feed.start();
    assert.equal(watch.holders, 1);
    feed.stop();
    assert.equal(watch.holders, 0);
    feed.start();
    assert.equal(watch.holders, 1);
  });
});
