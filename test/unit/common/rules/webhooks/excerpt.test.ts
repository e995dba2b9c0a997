/** What of a payload goes into an object: all of a usual one, a part of any other, always small enough. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { EXCERPT_BYTES_MAX, excerptOf } from '../../../../../common/rules/webhooks/excerpt.ts';

describe('an excerpt of a payload', () => {
  it('is all of what is small', () => {
    const payload = {
      action: 'opened',
      pull_request: { title: 'ä', labels: [{ name: 'bug' }] },
      n: 1,
      x: null,
    };
    assert.deepEqual(excerptOf(payload), { payload, isWhole: true });
    assert.deepEqual(excerptOf([1, 2]), { payload: { value: [1, 2] }, isWhole: true });
    assert.deepEqual(excerptOf('text'), { payload: { value: 'text' }, isWhole: true });
  });

  for (const [what, payload] of [
    ['one long text', { text: 'x'.repeat(1_000_000) }],
    ['many fields', Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`field${n}`, n]))],
    ['long names', Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`${n}`.repeat(50_000), n]))],
    ['a long list', { commits: Array.from({ length: 5000 }, (_, id) => ({ id, message: 'm'.repeat(500) })) }],
    ['texts of three bytes a character', { text: '漢'.repeat(100_000), other: ['漢'.repeat(9000)] }],
    [
      'something deep',
      Array.from({ length: 60 }).reduce<object>((inner) => ({ a: inner, b: 'x'.repeat(900) }), {}),
    ],
  ] as [string, unknown][])
    it(`fits of ${what}`, () => {
      const { payload: cut, isWhole } = excerptOf(payload);
      assert.ok(Buffer.byteLength(JSON.stringify(cut)) <= EXCERPT_BYTES_MAX);
      assert.ok(Object.keys(cut).length > 0 || what === 'long names');
      assert.equal(isWhole, false);
    });

  it('fits, is JSON and pollutes nothing, whatever it is of', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
        const { payload } = excerptOf(JSON.parse(`{"__proto__":${JSON.stringify(value)},"v":1}`));
        assert.deepEqual(JSON.parse(JSON.stringify(payload)), payload);
        assert.equal(Object.getPrototypeOf(payload), Object.prototype);
        assert.equal(payload['v'], 1);
      }),
    );
  });
});
