import assert from 'node:assert/strict';
import { Bodies } from '../../../../../operator/serve/models/bodies.ts';

const MIB = 1024 * 1024;

describe('room for calls of models', () => {
  it('is bounded for a session, and given back when the request is sent', () => {
    const all = new Bodies();
    const first = all.take('a', 40 * MIB);
    assert.equal(all.take('a', 30 * MIB), undefined);
    assert.ok(all.take('b', 30 * MIB) !== undefined, 'others have theirs');
    first?.sent();
    first?.sent();
    assert.ok(all.take('a', 64 * MIB) !== undefined);
  });

  it('is bounded in all', () => {
    const all = new Bodies();
    for (const uid of ['a', 'b', 'c', 'd']) assert.ok(all.take(uid, 64 * MIB) !== undefined);
    assert.equal(all.take('e', 1), undefined);
  });

  it('is for so many calls of a session at once, also when they are sent', () => {
    const all = new Bodies();
    const calls = Array.from({ length: 256 }, () => all.take('a', 1) ?? assert.fail('no room'));
    for (const call of calls) call.sent();
    assert.equal(all.take('a', 1), undefined);
    calls[0]?.[Symbol.dispose]();
    calls[0]?.[Symbol.dispose]();
    assert.ok(all.take('a', 1) !== undefined);
    assert.equal(all.take('a', 1), undefined);
  });
});
