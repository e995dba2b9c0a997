import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseMoney, plus, ZERO } from '../../../../../common/rules/money.ts';
import type { Money } from '../../../../../common/rules/money.ts';
import { Reservations } from '../../../../../operator/sessions/models/reservations.ts';
import type { Stored } from '../../../../../operator/sessions/models/reservations.ts';
import { FakeClock, settle } from '../../../../support/fake-clock.ts';

const usd = (text: string): Money => parseMoney(text) ?? assert.fail(text);
const SIGNAL = new AbortController().signal;

describe('money held for calls under way', () => {
  const need = (most: string, limit: string | undefined, spent = '0') => ({
    uid: 'u',
    most: usd(most),
    limit: () => (limit === undefined ? undefined : usd(limit)),
    stored: () => Promise.resolve({ spent: usd(spent), elsewhere: ZERO }),
    signal: SIGNAL,
  });

  it('is held up to the limit, and told to be short when nobody can give any back', async () => {
    const all = new Reservations({ clock: new FakeClock(), random: () => 0.5 });
    const first = await all.reserve(need('0.60', '1.00', '0.30'));
    assert.equal(first.kind, 'held');
    assert.deepEqual(await all.reserve(need('0.80', '1.00', '0.30')), {
      kind: 'short',
      spent: usd('0.30'),
      limit: usd('1.00'),
      most: usd('0.80'),
    });
    assert.equal((await all.reserve(need('99', undefined))).kind, 'held');
    assert.equal((await all.reserve({ ...need('0.60', '1.00'), uid: 'other' })).kind, 'held');
  });

  it('is waited for while others hold it, and given back once', async () => {
    const all = new Reservations({ clock: new FakeClock(), random: () => 0.5 });
    const first = await all.reserve(need('0.60', '1.00'));
    let isIn = false;
    const second = all.reserve(need('0.60', '1.00')).then((got) => {
      isIn = true;
      return got;
    });
    await settle();
    assert.ok(!isIn);
    assert.ok(first.kind === 'held');
    first.release();
    first.release();
    assert.equal((await second).kind, 'held');
    assert.equal(all.heldFor('u'), usd('0.60'));
  });

  it('is read again when something was given back while it was being read', async () => {
    const all = new Reservations({ clock: new FakeClock(), random: () => 0.5 });
    const first = await all.reserve(need('0.50', '1.00'));
    const reads = [usd('0'), usd('0.50')];
    let reading = Promise.withResolvers<void>();
    const stored = async (): Promise<Stored> => {
      const spent = reads.shift() ?? assert.fail('read too often');
      await reading.promise;
      return { spent, elsewhere: ZERO };
    };
    const second = all.reserve({ ...need('0.60', '1.00'), stored });
    assert.ok(first.kind === 'held');
    first.release();
    reading.resolve();
    reading = Promise.withResolvers();
    reading.resolve();
    assert.equal((await second).kind, 'short');
  });

  it('is looked for again and again while another replica holds it, which does not tell', async () => {
    const clock = new FakeClock();
    const all = new Reservations({ clock, random: () => 0.5 });
    const asked: boolean[] = [];
    let elsewhere = usd('0.60');
    const stored = async (isFresh: boolean): Promise<Stored> => {
      asked.push(isFresh);
      return { spent: ZERO, elsewhere };
    };
    let isIn = false;
    const waiting = all.reserve({ ...need('0.60', '1.00'), stored }).then(() => (isIn = true));
    await clock.advance(1200);
    assert.ok(!isIn);
    assert.deepEqual(asked, [false, true, true]);
    elsewhere = ZERO;
    await clock.advance(500);
    await waiting;
    // What another replica has stored meanwhile counts, too.
    assert.ok(await all.fits({ ...need('0', '1.00'), stored }));
    elsewhere = usd('0.50');
    assert.ok(!(await all.fits({ ...need('0', '1.00'), stored })));
    assert.ok(await all.fits({ ...need('0', undefined), stored }));
  });

  it('is not waited for any more once the signal aborts', async () => {
    const all = new Reservations({ clock: new FakeClock(), random: () => 0.5 });
    await all.reserve(need('1.00', '1.00'));
    const leaving = new AbortController();
    const waiting = all.reserve({ ...need('1.00', '1.00'), signal: leaving.signal });
    await settle();
    leaving.abort(new Error('left'));
    await assert.rejects(waiting, /left/);
  });

  it('is never more than there is, whatever calls come, wait, end and cost', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(fc.record({ most: fc.integer({ min: 1, max: 60 }), cost: fc.nat(60) }), { maxLength: 12 }),
        async (scheduler, calls) => {
          const all = new Reservations({ clock: new FakeClock(), random: () => 0.5 });
          const limit = 100n as Money;
          let spent: Money = ZERO;
          const run = async ({ most, cost }: (typeof calls)[number]): Promise<void> => {
            const got = await all.reserve({
              uid: 'u',
              most: BigInt(most) as Money,
              limit: () => limit,
              stored: () => scheduler.schedule(Promise.resolve({ spent, elsewhere: ZERO })),
              signal: SIGNAL,
            });
            if (got.kind === 'short') {
              assert.ok(plus(got.spent, got.most) > limit);
              return;
            }
            assert.ok(plus(spent, all.heldFor('u')) <= limit, 'together within the limit');
            await scheduler.schedule(Promise.resolve());
            spent = plus(spent, BigInt(Math.min(most, cost)) as Money);
            got.release();
          };
          const running = Promise.all(calls.map(run));
          await scheduler.waitFor(running);
          assert.ok(spent <= limit);
          assert.equal(all.heldFor('u'), ZERO);
        },
      ),
      { numRuns: 200 },
    );
  });
});
