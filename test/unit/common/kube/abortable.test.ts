/** Waiting with a way out. */
import assert from 'node:assert/strict';
import { abortable } from '../../../../common/kube/abortable.ts';

describe('a wait with a way out', () => {
  const aborted = AbortSignal.abort(new Error('given up'));

  it('ends with what was waited for', async () => {
    assert.equal(await abortable(Promise.resolve(1), new AbortController().signal), 1);
    await assert.rejects(abortable(Promise.reject(new Error('broken')), undefined), /broken/);
  });

  it('ends with the reason for giving up, and hears what fails later', async () => {
    const unheard: unknown[] = [];
    const note = (reason: unknown): void => void unheard.push(reason);
    process.on('unhandledRejection', note);
    try {
      const late = Promise.withResolvers<never>();
      await assert.rejects(abortable(late.promise, aborted), /given up/);
      late.reject(new Error('broken'));
      await new Promise((resolve) => setImmediate(resolve));
      assert.deepEqual(unheard, []);
    } finally {
      process.off('unhandledRejection', note);
    }
  });
});
