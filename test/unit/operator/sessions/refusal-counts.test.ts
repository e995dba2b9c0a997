/** The first of many refusals at once, the others by the minute, and never more than there is room for. */
import assert from 'node:assert/strict';
import { RefusalCounts, TOLD_EVERY_MS } from '../../../../operator/sessions/refusal-counts.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

describe('refusals that repeat', () => {
  const clock = new FakeClock();
  let told: string[];
  let counts: RefusalCounts;
  beforeEach(() => {
    told = [];
    counts = new RefusalCounts(clock, 2);
  });
  afterEach(() => counts[Symbol.dispose]());
  const note = (key: string, text = key): boolean =>
    counts.note(key, (more) => void told.push(`${text} ${more}`));

  it('are told at first, then once a minute with their number, as long as they come', async () => {
    for (let i = 0; i < 1000; i++) note('a', `a${i}`);
    note('b');
    assert.deepEqual(told, ['a0 0', 'b 0']);
    await clock.advance(TOLD_EVERY_MS);
    assert.deepEqual(told.splice(0), ['a0 0', 'b 0', 'a999 999']);
    note('a');
    assert.deepEqual(told, []);
    await clock.advance(TOLD_EVERY_MS);
    assert.deepEqual(told.splice(0), ['a 1']);
    await clock.advance(TOLD_EVERY_MS);
    note('a');
    assert.deepEqual(told, ['a 0']);
  });

  it('are left to others when too many are counted, until some are quiet', async () => {
    assert.deepEqual([note('a'), note('b'), note('c'), note('a')], [true, true, false, true]);
    await clock.advance(TOLD_EVERY_MS);
    assert.equal(note('c'), true);
  });

  it('are told when it ends', () => {
    note('a');
    note('a');
    note('b');
    counts[Symbol.dispose]();
    assert.deepEqual(told, ['a 0', 'b 0', 'a 1']);
    assert.equal(clock.pending, 0);
  });
});
