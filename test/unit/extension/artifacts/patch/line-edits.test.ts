/** Edits that turn one text into another. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { lineEdits } from '../../../../../extension/artifacts/patch/line-edits.ts';

async function edited(before: string, after: string): Promise<string> {
  let text = before;
  for (const { from, to, text: replacement } of (await lineEdits(before, after)).toReversed())
    text = text.slice(0, from) + replacement + text.slice(to);
  return text;
}

describe('edits of lines', () => {
  it('touch only lines that differ', async () => {
    assert.deepEqual(await lineEdits('a\nb\nc\nd\n', 'a\nB\nc\nd\ne\n'), [
      { from: 2, to: 4, text: 'B\n' },
      { from: 8, to: 8, text: 'e\n' },
    ]);
    assert.deepEqual(await lineEdits('same\n', 'same\n'), []);
  });

  it('give the other text, whatever the two are', async () => {
    const text = fc
      .array(fc.constantFrom('a', 'b', 'c\n', 'd\n', '\n', '\r\n', 'é\n', '😀'))
      .map((parts) => parts.join(''));
    await fc.assert(
      fc.asyncProperty(text, text, async (before, after) => assert.equal(await edited(before, after), after)),
    );
  });
});
