/** Memory that many share: never more than there is, and all of it again afterwards. */
import assert from 'node:assert/strict';
import { Memory } from '../../../../../operator/sessions/webhooks/memory.ts';

describe('memory of bodies', () => {
  it('is refused when there is none left, and is there again when somebody is done', () => {
    const memory = new Memory(10);
    const [first, second] = [memory.share(), memory.share()];
    first.hold(6);
    second.hold(4);
    assert.throws(() => second.hold(1), { code: 'unavailable' });
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    second.hold(6);
    assert.throws(() => second.hold(1), { code: 'unavailable' });
  });
});
