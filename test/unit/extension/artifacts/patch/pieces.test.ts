/** Taking a part of a patch: what is taken is applied, what is left can still be applied afterwards. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { applyHunks } from '../../../../../extension/artifacts/patch/hunks.ts';
import { parsePatch } from '../../../../../extension/artifacts/patch/parse.ts';
import { onlyPieces, piecesOf } from '../../../../../extension/artifacts/patch/pieces.ts';

const PATCH = `diff --git a/a.txt b/a.txt
index 1111111..2222222 100644
--- a/a.txt
+++ b/a.txt
@@ -1,4 +1,5 @@
 1
+one and a half
 2
 3
 4
@@ -10,6 +11,5 @@
 10
 11
 12
-13
 14
 15
@@ -30,7 +30,7 @@
 30
 31
 32
-33
+thirty-thrée
 34
 35
 36
diff --git a/new.txt b/new.txt
new file mode 100644
index 0000000..3333333
--- /dev/null
+++ b/new.txt
@@ -0,0 +1,2 @@
+first
+second
`;
const OLD = Array.from({ length: 40 }, (_, index) => `${index + 1}\n`).join('');
const files = parsePatch(Buffer.from(PATCH));

describe('pieces of a patch', () => {
  it('are hunks of changed files, and other files as a whole', () => {
    assert.deepEqual(
      piecesOf(files).map(({ path, line, gist, added, removed }) => [path, line, gist, added, removed]),
      [
        ['a.txt', 2, '+ one and a half', 1, 0],
        ['a.txt', 13, '- 13', 0, 1],
        ['a.txt', 33, '- 33', 1, 1],
        ['new.txt', undefined, '+ first', 2, 0],
      ],
    );
    assert.deepEqual(onlyPieces(files, piecesOf(files)), files);
    assert.deepEqual(onlyPieces(files, []), []);
    assert.deepEqual(
      onlyPieces(files, piecesOf(files).slice(3)).map(({ newPath }) => newPath),
      ['new.txt'],
    );
  });

  it('give the whole when what was left is taken afterwards, whichever were taken first', () => {
    const [changed] = files;
    assert.ok(changed);
    const whole = applyHunks(OLD, changed.hunks);
    assert.deepEqual(whole.failed, []);
    fc.assert(
      fc.property(fc.subarray(piecesOf(files)), (chosen) => {
        const rest = piecesOf(files).filter(
          (piece) => !chosen.some(({ hunk, file }) => hunk === piece.hunk && file === piece.file),
        );
        let text = OLD;
        for (const part of [chosen, rest])
          for (const { hunks, newPath } of onlyPieces(files, part)) {
            if (newPath !== 'a.txt') continue;
            const result = applyHunks(text, hunks);
            assert.deepEqual(result.failed, []);
            text = result.text;
          }
        assert.equal(text, whole.text);
      }),
    );
  });
});
