import assert from 'node:assert/strict';
import fc from 'fast-check';
import { WorkQueue } from '../../../../operator/controllers/queue.ts';
import type { QueueOptions, Result } from '../../../../operator/controllers/queue.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';

interface Job {
  key: string;
  signal: AbortSignal;
  finish(result?: Result): void;
  fail(error: Error): void;
}

/** A queue whose work ends only when the test says so. */
function aQueue(options: Partial<QueueOptions<string>> = {}) {
  const clock = new FakeClock();
  const jobs: Job[] = [];
  const errors: { key: string; attempt: number; delayMs: number }[] = [];
  const queue = new WorkQueue<string>({
    work: (key, signal) =>
      new Promise<Result>((resolve, reject) => jobs.push({ key, signal, finish: resolve, fail: reject })),
    onError: (key, _error, { attempt, delayMs }) => errors.push({ key, attempt, delayMs }),
    concurrency: 2,
    clock,
    random: () => 0,
    ...options,
  });
  const take = (key: string): Job => {
    const index = jobs.findIndex((job) => job.key === key);
    const [job] = jobs.splice(index, index < 0 ? 0 : 1);
    assert.ok(job, `nobody works on ${key}`);
    return job;
  };
  return { queue, clock, jobs, errors, take };
}

describe('work queue', () => {
  it('works on a key once however often it was added', async () => {
    const { queue, take, jobs } = aQueue({ concurrency: 1 });
    queue.add('blocker');
    for (let i = 0; i < 5; i++) queue.add('a');
    assert.equal(queue.length, 1);
    take('blocker').finish();
    await settle();
    take('a').finish();
    await settle();
    assert.equal(jobs.length, 0);
    assert.equal(queue.working, 0);
  });

  it('never has two workers on one key, and works again on what was added meanwhile', async () => {
    const { queue, take, jobs } = aQueue();
    queue.add('a');
    queue.add('a');
    queue.add('a');
    assert.equal(jobs.length, 1);
    take('a').finish();
    await settle();
    take('a').finish();
    await settle();
    assert.equal(jobs.length, 0);
  });

  it('keeps to its number of workers and to the order of arrival', async () => {
    const { queue, take, jobs } = aQueue({ concurrency: 2 });
    for (const key of ['a', 'b', 'c', 'd']) queue.add(key);
    assert.deepEqual(
      jobs.map(({ key }) => key),
      ['a', 'b'],
    );
    take('b').finish();
    await settle();
    assert.deepEqual(
      jobs.map(({ key }) => key),
      ['a', 'c'],
    );
  });

  it('takes what is ahead first, and the others in between when they have waited for long', async () => {
    const { queue, clock, take, jobs } = aQueue({ concurrency: 1 });
    const order: string[] = [];
    const work = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        const [job] = jobs;
        assert.ok(job, 'nobody works');
        order.push(job.key);
        take(job.key).finish();
        await settle();
      }
    };
    queue.add('blocker');
    for (const key of ['a', 'b', 'c']) queue.add(key);
    for (const key of ['1', '2', '3', '4', '5', '6', '7', '8', '9']) queue.add(key, { ahead: true });
    // Already waiting: it changes lanes, and is not worked on twice.
    queue.add('b', { ahead: true });
    assert.equal(queue.length, 12);
    await work(6);
    assert.deepEqual(order, ['blocker', '1', '2', '3', '4', '5']);
    await clock.advance(5000);
    await work(7);
    assert.deepEqual(order.slice(6), ['6', 'a', '7', '8', '9', 'c', 'b']);
    assert.equal(queue.length, 0);
  });

  it('keeps workers free for more of a burst, while one or two go on with the others', async () => {
    const { queue, clock, take, jobs } = aQueue({ concurrency: 5 });
    const worked = (): string[] => jobs.map(({ key }) => key);
    queue.add('1', { ahead: true, ofMany: true });
    for (const key of ['a', 'b', 'c', 'd']) queue.add(key);
    assert.deepEqual(worked(), ['1', 'a', 'b']);
    queue.add('2', { ahead: true, ofMany: true });
    assert.deepEqual(worked(), ['1', 'a', 'b', '2']);
    take('a').finish();
    await settle();
    assert.deepEqual(worked(), ['1', 'b', '2', 'c']);
    await clock.advance(200);
    queue.add('3', { ahead: true, ofMany: true });
    take('3').finish();
    await clock.advance(249);
    assert.deepEqual(worked(), ['1', 'b', '2', 'c'], 'more may come');
    await clock.advance(1);
    assert.deepEqual(worked(), ['1', 'b', '2', 'c', 'd']);
    for (const key of worked()) take(key).finish();
    await settle();
    assert.equal(clock.pending, 0);
  });

  it('holds the others up no longer than patience lasts', async () => {
    const { queue, clock, jobs } = aQueue({ concurrency: 5 });
    for (const key of ['a', 'b', 'c']) queue.add(key, { ahead: key === 'a', ofMany: key === 'a' });
    queue.add('d');
    for (let ms = 0; ms < 5000; ms += 200) {
      assert.ok(!jobs.some(({ key }) => key === 'd'), `after ${ms} ms`);
      queue.add('a', { ahead: true, ofMany: true });
      await clock.advance(200);
    }
    queue.add('e');
    assert.deepEqual(
      jobs.map(({ key }) => key),
      ['a', 'b', 'c', 'd'],
    );
  });

  it('brings back in its lane what failed or asks for it', async () => {
    const { queue, clock, take, jobs } = aQueue({ concurrency: 1, backoff: { baseMs: 10, maxMs: 10 } });
    queue.add('fails', { ahead: true });
    take('fails').fail(new Error('no'));
    await settle();
    queue.add('waits', { ahead: true });
    take('waits').finish({ requeueAfterMs: 10 });
    await settle();
    queue.add('blocker');
    queue.add('other');
    await clock.advance(10);
    for (const expected of ['blocker', 'fails', 'waits', 'other']) {
      assert.deepEqual(
        jobs.map(({ key }) => key),
        [expected],
      );
      take(expected).finish();
      await settle();
    }
  });

  it('brings a key back after the asked delay, not before', async () => {
    const { queue, clock, take, jobs } = aQueue();
    queue.add('a');
    take('a').finish({ requeueAfterMs: 5000 });
    await clock.advance(4999);
    assert.equal(jobs.length, 0);
    await clock.advance(1);
    take('a');
  });

  it('lets an event overtake a delay, and forgets the delay then', async () => {
    const { queue, clock, take, jobs } = aQueue();
    queue.addAfter('a', 5000);
    queue.add('a');
    take('a').finish();
    await clock.advance(10_000);
    assert.equal(jobs.length, 0);
    assert.equal(clock.pending, 0);
  });

  it('keeps the earlier of two delays', async () => {
    const { queue, clock, jobs } = aQueue();
    queue.addAfter('a', 5000);
    queue.addAfter('a', 9000);
    queue.addAfter('a', 1000);
    await clock.advance(1000);
    assert.equal(jobs.length, 1);
    assert.equal(clock.pending, 0);
  });

  it('doubles the delay with every failure up to the maximum, and starts over after a success', async () => {
    const { queue, clock, errors, take } = aQueue({ backoff: { baseMs: 100, maxMs: 350 } });
    queue.add('a');
    for (let i = 0; i < 4; i++) {
      take('a').fail(new Error('no'));
      await settle();
      await clock.advance(errors.at(-1)?.delayMs ?? 0);
    }
    assert.deepEqual(
      errors.map(({ delayMs }) => delayMs),
      [100, 200, 350, 350],
    );
    take('a').finish();
    await settle();
    queue.add('a');
    take('a').fail(new Error('no'));
    await settle();
    assert.equal(errors.at(-1)?.attempt, 1);
  });

  it('shortens delays at random by up to half', async () => {
    const { queue, errors, take } = aQueue({ random: () => 0.999, backoff: { baseMs: 100, maxMs: 1000 } });
    queue.add('a');
    take('a').fail(new Error('no'));
    await settle();
    assert.ok(Math.abs((errors[0]?.delayMs ?? 0) - 50) < 1);
  });

  it('when closing finishes work under way, starts none, and leaves no timer', async () => {
    const { queue, clock, take, jobs } = aQueue({ concurrency: 1 });
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 1000);
    const closed = queue.close(10_000);
    queue.add('d');
    const job = take('a');
    assert.equal(job.signal.aborted, false);
    job.finish({ requeueAfterMs: 5 });
    await closed;
    await clock.advance(20_000);
    assert.equal(jobs.length, 0);
    assert.equal(clock.pending, 0);
  });

  it('aborts work that outlasts the drain, and waits for it all the same', async () => {
    const { queue, clock, take } = aQueue();
    queue.add('a');
    const job = take('a');
    let closed = false;
    const closing = queue.close(3000).then(() => (closed = true));
    await clock.advance(3000);
    assert.equal(job.signal.aborted, true);
    assert.equal(closed, false);
    job.fail(new Error('aborted'));
    await closing;
  });

  it('loses no key and doubles no work, whatever order things happen in', async () => {
    const actions = fc.array(
      fc.oneof(
        fc.record({
          do: fc.constant('add' as const),
          key: fc.constantFrom('a', 'b', 'c'),
          ahead: fc.boolean(),
        }),
        fc.record({
          do: fc.constant('later' as const),
          key: fc.constantFrom('a', 'b', 'c'),
          ms: fc.integer({ min: 0, max: 50 }),
        }),
        fc.record({ do: fc.constant('finish' as const), fails: fc.boolean() }),
        fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 60 }) }),
      ),
      { maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(actions, async (list) => {
        const { queue, clock, jobs, take } = aQueue({ backoff: { baseMs: 10, maxMs: 10 } });
        const lastAdded = new Map<string, number>();
        const lastWorked = new Map<string, number>();
        let step = 0;
        const seen = new Set<Job>();
        const note = (): void => {
          assert.equal(new Set(jobs.map(({ key }) => key)).size, jobs.length, 'two workers on one key');
          for (const job of jobs)
            if (!seen.has(job)) {
              seen.add(job);
              lastWorked.set(job.key, step);
            }
        };
        for (const action of list) {
          step++;
          if (action.do === 'add') queue.add(action.key, action);
          if (action.do === 'later') queue.addAfter(action.key, action.ms);
          if (action.do === 'add' || action.do === 'later') lastAdded.set(action.key, step);
          if (action.do === 'wait') await clock.advance(action.ms);
          const first = jobs[0];
          if (action.do === 'finish' && first) {
            const job = take(first.key);
            if (action.fails) job.fail(new Error('no'));
            else job.finish();
            await settle();
          }
          note();
        }
        for (let i = 0; i < 20; i++) {
          step++;
          for (const { key } of [...jobs]) take(key).finish();
          await clock.advance(100);
          note();
        }
        assert.equal(jobs.length + queue.length + queue.working + clock.pending, 0);
        for (const [key, when] of lastAdded)
          assert.ok((lastWorked.get(key) ?? -1) >= when, `${key} was added and never worked on`);
      }),
      { numRuns: 200 },
    );
  });
});
