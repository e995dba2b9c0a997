import assert from 'node:assert/strict';
import { LogFeed } from '../../../../extension/logs/log-feed.ts';
import type { FeedState, LogFeedOptions } from '../../../../extension/logs/log-feed.ts';
import { MemoryLog } from './log-source.ts';

describe('the feed of a log', () => {
  const open: LogFeed[] = [];
  const feedOf = (source: MemoryLog, options: Partial<LogFeedOptions> = {}): LogFeed => {
    const feed = new LogFeed({
      source,
      lines: { formatTime: () => '' },
      onError: (error) => assert.fail(String(error)),
      backoffMs: [1, 4],
      gatherMs: 1,
      ...options,
    });
    open.push(feed);
    feed.start();
    return feed;
  };
  const phase = (feed: LogFeed, wanted: FeedState['phase']): Promise<void> =>
    until(feed, () => feed.state.phase === wanted);
  const until = (feed: LogFeed, condition: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const deadline = setTimeout(
        () => reject(new Error(`phase ${feed.state.phase}, ${feed.last} records`)),
        10_000,
      );
      const look = (): void => {
        if (!condition()) return;
        clearTimeout(deadline);
        heard.forEach((each) => each.dispose());
        resolve();
      };
      const heard = [feed.onState(look), feed.onAppend(look)];
      look();
    });
  const texts = (feed: LogFeed): string[] => feed.lines.since(0).map(({ text }) => text.trim());

  afterEach(async () => {
    await Promise.all(open.splice(0).map((feed) => feed.close()));
  });

  it('reads what there is, then follows', async () => {
    const log = new MemoryLog();
    log.add('one', 'two');
    const feed = feedOf(log);
    await feed.loaded;
    assert.deepEqual(texts(feed), ['one', 'two']);
    await phase(feed, 'following');
    log.add('three');
    await until(feed, () => feed.last === 3);
    log.add('four');
    log.finish();
    await phase(feed, 'ended');
    assert.deepEqual(texts(feed), ['one', 'two', 'three', 'four']);
    assert.deepEqual(log.asked, [
      { since: 0, follow: false },
      { since: 2, follow: true },
      { since: 4, follow: false },
    ]);
  });

  it('reads the log of a session that is over, and makes sure that it was all', async () => {
    const log = new MemoryLog();
    log.add('only');
    log.finish();
    const feed = feedOf(log);
    await phase(feed, 'ended');
    assert.deepEqual(texts(feed), ['only']);
    assert.deepEqual(log.asked, [
      { since: 0, follow: false },
      { since: 1, follow: false },
    ]);
  });

  it('loses and doubles nothing when answers break off anywhere', async () => {
    const log = new MemoryLog();
    const lines = Array.from({ length: 40 }, (_, n) => `line ${n}`);
    log.add(...lines);
    for (let n = 0; n < 60; n += 1) log.faults.push({ cutAfterBytes: 37 * n, silently: n % 2 === 0 });
    const feed = feedOf(log);
    await phase(feed, 'following');
    log.finish();
    await phase(feed, 'ended');
    assert.deepEqual(texts(feed), lines);
  });

  it('goes on where it was when the operator comes back, and says that it tries', async () => {
    const log = new MemoryLog();
    log.add('one');
    log.faults.push(undefined, { cutAfterBytes: 0, silently: false }, { refuse: new Error('ECONNREFUSED') });
    const feed = feedOf(log);
    const seen: string[] = [];
    feed.onState(({ phase: now }) => seen.push(now));
    await phase(feed, 'following');
    log.add('two');
    await until(feed, () => feed.last === 2);
    await phase(feed, 'following');
    assert.ok(seen.includes('reconnecting'));
    assert.deepEqual(texts(feed), ['one', 'two']);
  });

  it('notices a connection that died without a word', async () => {
    const log = new MemoryLog();
    log.faults.push(undefined, { silent: true });
    const feed = feedOf(log, { silenceMs: 50 });
    await phase(feed, 'following');
    log.add('late');
    await until(feed, () => feed.last === 1);
    assert.deepEqual(texts(feed), ['late']);
  });

  it('asks again for records that were left out, and says which never came', async () => {
    const log = new MemoryLog();
    log.add('one', 'two', 'three');
    log.faults.push({ skip: 1 });
    const healed = feedOf(log);
    await phase(healed, 'following');
    assert.deepEqual(texts(healed), ['one', 'two', 'three']);

    const broken = new MemoryLog();
    broken.add('one', 'two', 'three');
    broken.faults.push({ skip: 1 }, { skip: 1 });
    const feed = feedOf(broken);
    await phase(feed, 'following');
    assert.deepEqual(texts(feed), ['… records 1 to 1 are missing', 'two', 'three']);
  });

  it('keeps what it has when the session is deleted', async () => {
    const log = new MemoryLog();
    log.add('one');
    const feed = feedOf(log);
    await phase(feed, 'following');
    log.delete();
    await phase(feed, 'gone');
    assert.deepEqual(texts(feed), ['one']);
  });

  it('stops where waiting does not help, until it is asked to try again', async () => {
    const log = new MemoryLog();
    log.fatal = new Error('forbidden');
    log.faults.push({ refuse: log.fatal });
    const feed = feedOf(log);
    await feed.loaded;
    await phase(feed, 'failed');
    assert.equal(feed.state.error, log.fatal);
    log.add('now');
    feed.retry();
    await until(feed, () => feed.last === 1);
  });

  it('ends at once when it is closed, waiting or reading', async () => {
    const waiting = feedOf(new MemoryLog());
    await phase(waiting, 'following');
    const failing = new MemoryLog();
    failing.faults.push(...Array.from({ length: 9 }, () => ({ refuse: new Error('no') })));
    const trying = feedOf(failing, { backoffMs: [60_000, 60_000] });
    await phase(trying, 'reconnecting');
    const started = performance.now();
    await Promise.all([waiting.close(), trying.close()]);
    assert.ok(performance.now() - started < 1000);
  });

  it('takes 100,000 records in a second or two', async function () {
    this.timeout(20_000);
    const log = new MemoryLog();
    log.add(...Array.from({ length: 100_000 }, (_, n) => `line ${n}`));
    log.finish();
    const started = performance.now();
    const feed = feedOf(log);
    await until(feed, () => feed.state.phase === 'ended');
    assert.equal(feed.lines.total, 100_000);
    assert.ok(performance.now() - started < 3000);
  });
});
