/** Bodies read in pieces: what fits is what JSON.parse gives, and what it refuses is refused. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { JsonProblem, JsonSkim, SKIM_LIMITS } from '../../../../../common/rules/webhooks/json-skim.ts';
import type { SkimLimits } from '../../../../../common/rules/webhooks/json-skim.ts';

function skim(text: string | Buffer, pieces: number[] = [], limits: SkimLimits = SKIM_LIMITS) {
  const skimmed = new JsonSkim(limits);
  let rest = Buffer.from(text);
  for (const size of pieces) {
    skimmed.write(rest.subarray(0, size));
    rest = rest.subarray(size);
  }
  skimmed.write(rest);
  return { value: skimmed.end(), isWhole: skimmed.isWhole };
}

const sizes = fc.array(fc.integer({ min: 0, max: 7 }), { maxLength: 30 });

describe('JSON read in pieces', () => {
  it('is what JSON.parse makes of it, wherever it is cut', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'binary' }), sizes, (text, pieces) => {
        const { value, isWhole } = skim(text, pieces);
        assert.deepEqual(value, JSON.parse(Buffer.from(text).toString()));
        assert.equal(isWhole, true);
      }),
      { numRuns: 2000 },
    );
  });

  it('is refused exactly when JSON.parse refuses it', () => {
    const letters = fc.constantFrom(...'{}[]",:\\u0123456789eE+-. \n\ttrufalsn/x'.split(''), 'é', '\u0001');
    const broken = fc
      .tuple(fc.json(), fc.array(fc.tuple(fc.nat(), fc.option(letters)), { maxLength: 3 }))
      .map(([text, edits]) => {
        let edited = text;
        for (const [place, letter] of edits) {
          const at = edited.length === 0 ? 0 : place % edited.length;
          edited = edited.slice(0, at) + (letter ?? '') + edited.slice(at + 1);
        }
        return edited;
      });
    fc.assert(
      fc.property(fc.oneof(broken, fc.string({ unit: letters, maxLength: 12 })), sizes, (text, pieces) => {
        let expected: unknown;
        try {
          expected = JSON.parse(text);
        } catch {
          assert.throws(() => skim(text, pieces), JsonProblem);
          return;
        }
        assert.deepEqual(skim(text, pieces).value, expected);
      }),
      { numRuns: 5000 },
    );
  });

  it('keeps a field named __proto__ as a field', () => {
    const { value } = skim('{"__proto__":{"admin":true},"a":1}');
    assert.deepEqual(Object.keys(value as object), ['__proto__', 'a']);
    assert.equal((value as { admin?: unknown }).admin, undefined);
  });

  for (const [what, text, says] of [
    ['a bomb of brackets', '['.repeat(1_000_000), /nested deeper than 64/],
    ['a bomb of objects', '{"a":'.repeat(100_000), /nested deeper than 64/],
    ['a number without end', '1'.repeat(5000), /number is too long/],
    ['bytes that are no text', Buffer.from([0x22, 0xff, 0x22]), /not UTF-8/],
    ['half of a character', Buffer.from([0x22, 0xc3]), /not UTF-8/],
    ['nothing', '', /ends too early/],
    ['two values', '1 2', /"2" stands where its end belongs/],
    ['a comma too many', '[1,]', /"\]" stands where a value belongs/],
  ] as [string, string | Buffer, RegExp][])
    it(`refuses ${what}`, () => {
      assert.throws(
        () => skim(text),
        (error) => error instanceof JsonProblem && says.test(error.message),
      );
    });

  it('keeps the beginning of what is too long, and says so', () => {
    const limits = { depth: 8, text: 4, items: 2, total: 10_000 };
    const { value, isWhole } = skim('{"a":["abcdefg",2,{"x":1}],"b":"ok","c":3}', [], limits);
    assert.deepEqual(value, { a: ['abcd', 2], b: 'ok' });
    assert.equal(isWhole, false);
  });

  it('keeps no more than it may, however much there is', () => {
    const limits = { ...SKIM_LIMITS, total: 1000 };
    const { value, isWhole } = skim(`[${Array.from({ length: 100_000 }, () => '"abc"').join()}]`, [], limits);
    assert.ok((value as string[]).length < 60);
    assert.equal(isWhole, false);
  });
});
