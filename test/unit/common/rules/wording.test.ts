/** How text from outside reads where people see it. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isSeen } from '../../../../common/api/display-name.ts';
import { titleLine } from '../../../../common/rules/wording.ts';

describe('text from outside as a display name', () => {
  it('keeps what people see, and what joins it', () => {
    for (const text of ['Fix the 2nd bug', 'Näht ✂', '修复', 'می‌خواهم', '👩‍💻 ❤️'])
      assert.deepEqual([titleLine(text), isSeen(text)], [text, true]);
  });

  it('loses what nobody sees', () => {
    for (const [text, left] of [
      ['two\nlines', 'two lines'],
      ['two\u2028lines', 'two lines'],
      ['a\u0007\u001b[31mb', 'a [31mb'],
      ['gpj.\u202etpircs', 'gpj.tpircs'],
      ['ad\u200bmin\ufeff', 'admin'],
      ['soft\u00adhyphen', 'softhyphen'],
      ['\u{e0041}tag', 'tag'],
      ['\u2066\u2069', ''],
    ] as const)
      assert.deepEqual([titleLine(text), isSeen(text)], [left, false], JSON.stringify(text));
  });

  it('is always one that is taken', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => isSeen(titleLine(text))),
      { numRuns: 5000 },
    );
  });
});
