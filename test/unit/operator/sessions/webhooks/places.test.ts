/** Places for a few at once: nobody waits for ever, and none is lost. */
import assert from 'node:assert/strict';
import { Places } from '../../../../../operator/sessions/webhooks/places.ts';

const { signal } = new AbortController();

describe('places', () => {
  it('go to those who wait, in order', async () => {
    const places = new Places(1, 60_000);
    const first = await places.take(signal);
    const order: number[] = [];
    const others = [1, 2].map(async (number) => {
      using _place = await places.take(signal);
      order.push(number);
    });
    first?.[Symbol.dispose]();
    await Promise.all(others);
    assert.deepEqual(order, [1, 2]);
    assert.ok(await places.take(signal));
  });

  it('are not waited for for ever, nor by those who have gone, and none is lost by it', async () => {
    const places = new Places(1, 5);
    const first = await places.take(signal);
    const gone = new AbortController();
    const leaving = places.take(gone.signal);
    gone.abort(new Error('gone'));
    await assert.rejects(leaving, /gone/);
    assert.equal(await places.take(signal), undefined);
    first?.[Symbol.dispose]();
    assert.ok(await places.take(signal));
    await assert.rejects(places.take(gone.signal), /gone/);
  });
});
