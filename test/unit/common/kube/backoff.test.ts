import assert from 'node:assert/strict';
import { Backoff, pause } from '../../../../common/kube/backoff.ts';

describe('a backoff', () => {
  const waits = (random: () => number): number[] => {
    const backoff = new Backoff({ initialMs: 100, maxMs: 1_000, random });
    return Array.from({ length: 6 }, () => backoff.next());
  };

  it('doubles up to its limit, spread over the upper half', () => {
    assert.deepEqual(
      waits(() => 0),
      [50, 100, 200, 400, 500, 500],
    );
    assert.deepEqual(
      waits(() => 1),
      [100, 200, 400, 800, 1_000, 1_000],
    );
  });

  it('stays finite for ever and starts again after a reset', () => {
    const backoff = new Backoff({ initialMs: 100, maxMs: 1_000, random: () => 1 });
    for (let i = 0; i < 5_000; i++) assert.ok(backoff.next() <= 1_000);
    backoff.reset();
    assert.equal(backoff.next(), 100);
  });
});

describe('a pause', () => {
  it('ends at once, without an error, when aborted', async () => {
    const controller = new AbortController();
    const paused = pause(60_000, controller.signal);
    controller.abort();
    await paused;
    await pause(60_000, controller.signal);
  });
});
