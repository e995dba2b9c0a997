/** Paths that a hostile patch might name. */
import assert from 'node:assert/strict';
import { isAmbientError } from '../../../../../common/errors.ts';
import { parsePatch } from '../../../../../extension/artifacts/patch/parse.ts';
import { checkPaths, problemOf } from '../../../../../extension/artifacts/patch/paths.ts';

describe('the paths of a patch', () => {
  const anywhere = [
    '../x',
    'a/../../x',
    'a/..',
    '..',
    '.',
    './x',
    'a/./b',
    '/etc/passwd',
    'C:/x',
    'c:x',
    '\\x',
    '..\\x',
    'a\\..\\b',
    'a//b',
    'a/',
    '.git/config',
    'a/.git/hooks/pre-commit',
    '.GIT/x',
    '.git',
    '.git./x',
    '.git /x',
    'git~1/x',
    '.g\u200cit/x',
    '.git::$INDEX_ALLOCATION/x',
    '.ｇit/x',
    'a\0b',
    '',
    'a\ufffdb',
  ];
  for (const path of anywhere)
    it(`may not be ${JSON.stringify(path)}`, () => assert.notEqual(problemOf(path, false), undefined));

  for (const path of ['a\\b\\..\\c', '.git\\config', 'con', 'aux.txt', 'a:b', 'x.', 'x ', 'a|b'])
    it(`may not be ${JSON.stringify(path)} on Windows`, () =>
      assert.notEqual(problemOf(path, true), undefined));

  for (const path of [
    'a',
    'a/b.txt',
    '.gitignore',
    '.github/x',
    'a..b',
    '...',
    'git',
    'é/日',
    'a b',
    '.gitx/y',
  ])
    it(`may be ${JSON.stringify(path)}`, () => assert.equal(problemOf(path, false), undefined));

  it('may not differ between the headers of one file', () => {
    const patch = 'diff --git a/x b/x\n--- a/x\n+++ b/../../x\n@@ -1 +1 @@\n-x\n+y\n';
    assert.throws(() => parsePatch(Buffer.from(patch)), /line 1: its headers name different files/);
  });

  it('refuse the patch whole, wherever they stand in it', () => {
    const good = 'diff --git a/x b/x\nnew file mode 100644\n';
    const bad = [
      'diff --git a/../x b/../x\nnew file mode 100644\n',
      'diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to ../../y\n',
      'diff --git a/x b/y\nsimilarity index 100%\ncopy from "\\057etc/passwd"\ncopy to y\n',
      '--- a/x\n+++ b/../../x\n@@ -0,0 +1 @@\n+x\n',
      '--- /dev/null\n+++ /etc/cron.d/x\n@@ -0,0 +1 @@\n+x\n',
      'diff --git "a/.git/config" "b/.git/config"\nnew file mode 100644\n',
    ];
    for (const patch of bad)
      assert.throws(
        () => checkPaths(parsePatch(Buffer.from(`${good}\n${patch}`)), false),
        (error: unknown) =>
          isAmbientError(error, 'unsafe_path') && error.message.includes('nothing was changed'),
        patch,
      );
    checkPaths(parsePatch(Buffer.from(good)), false);
  });
});
