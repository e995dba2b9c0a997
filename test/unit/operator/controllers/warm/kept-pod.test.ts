import assert from 'node:assert/strict';
import { Backoff } from '../../../../../operator/controllers/warm/backoff.ts';
import { stateOf } from '../../../../../operator/controllers/warm/kept-pod.ts';
import { Promises } from '../../../../../operator/controllers/warm/promises.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { aJob, aPod, aSession, NOW } from '../../../../support/fixtures.ts';
import type { PodBuilder } from '../../../../support/fixtures.ts';

describe('a pod that is kept ready', () => {
  const session = aSession().build();
  const of = (build: (pod: PodBuilder) => PodBuilder) =>
    stateOf(aJob(session), build(aPod(session)).build(), Date.parse(NOW));

  it('is ready when its container runs, and tells what keeps it from that', () => {
    assert.equal(stateOf(aJob(session), undefined, 0).state, 'starting');
    assert.deepEqual(
      [of((pod) => pod.running()).state, of((pod) => pod.running()).trouble],
      ['ready', undefined],
    );
    const pulling = of((pod) => pod.waiting('ErrImagePull', 'not found'));
    assert.equal(pulling.state, 'starting');
    assert.match(pulling.trouble ?? '', /The image "ambient-runner:test" cannot be pulled/);
    const ended = of((pod) => pod.ended(3));
    assert.equal(ended.state, 'over');
    assert.match(ended.trouble ?? '', /ended before any session had it \(exit code 3\)/);
  });

  it('is over when its Job is, or somebody deletes it', () => {
    const failed = aJob(session, { conditions: [{ type: 'Failed', status: 'True' }] });
    assert.equal(stateOf(failed, aPod(session).running().build(), 0).state, 'over');
    const leaving = aPod(session).running().build();
    leaving.metadata.deletionTimestamp = NOW;
    assert.equal(stateOf(aJob(session), leaving, Date.parse(NOW)).state, 'over');
  });

  it('is made again ever later when it ends by itself', async () => {
    const clock = new FakeClock();
    const backoff = new Backoff(clock);
    const waits: number[] = [];
    for (let nth = 0; nth < 9; nth++) {
      backoff.failed('a', 'why');
      backoff.failed('a', 'another of the same');
      const { leftMs, why } = backoff.of('a');
      assert.equal(why, 'why');
      waits.push(leftMs / 1000);
      await clock.advance(leftMs);
    }
    assert.deepEqual(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    assert.equal(backoff.of('b').leftMs, 0);
    backoff.forget('a');
    backoff.failed('a', 'why');
    assert.equal(backoff.of('a').leftMs, 5000);
  });

  it('is told of to one session at a time, and to the next when that did not come', async () => {
    const clock = new FakeClock();
    const promises = new Promises(clock);
    assert.deepEqual(
      [promises.make('job', 'one'), promises.make('job', 'two'), promises.make('job', 'one')],
      [true, false, true],
    );
    await clock.advance(10_000);
    promises.tidy();
    assert.equal(promises.make('job', 'two'), true);
  });
});
