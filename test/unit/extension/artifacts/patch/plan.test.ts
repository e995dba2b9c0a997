/** Patches made by git itself: applied here, they give what git had. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { isAmbientError } from '../../../../../common/errors.ts';
import { Repository } from './repository.fixture.ts';

const lines = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}\n`).join('');

/** The zero byte makes git take it for binary, whatever follows. */
const binary = (size: number): Buffer => Buffer.concat([Buffer.alloc(1), randomBytes(size - 1)]);

describe('a patch made by git', () => {
  let repository: Repository;
  afterEach(() => repository.remove());

  /** Applies, and compares with what git's copy has. */
  const appliesAs = async (patch: Buffer): Promise<void> => {
    const plan = await repository.apply(patch);
    assert.deepEqual(plan.problems, []);
    assert.deepEqual(repository.files(repository.target), repository.files(repository.changed));
    const again = await repository.plan(patch);
    assert.deepEqual([again.changes, again.problems], [[], []], 'applied once more it changes nothing');
  };

  it('changes, adds and deletes files', async () => {
    repository = new Repository({ 'a.txt': lines(1, 50), 'd/b.txt': 'gone\n', 'empty.txt': '' });
    repository
      .change('a.txt', lines(1, 9) + 'ten\n' + lines(11, 39) + lines(41, 50) + 'more\n')
      .change('d/b.txt', undefined)
      .change('new/deep/c.txt', 'new\n')
      .change('empty.txt', 'no longer\n')
      .change('empty too', '');
    await appliesAs(repository.diff());
  });

  it('deletes and empties files, and fills empty ones', async () => {
    repository = new Repository({ a: 'text\n', b: '', c: 'x' });
    repository.change('a', '').change('b', undefined).change('c', undefined).change('d', 'one line, no feed');
    await appliesAs(repository.diff());
  });

  it('keeps CRLF, mixed endings, lone carriage returns and no line feed at the end', async () => {
    repository = new Repository({
      crlf: 'one\r\ntwo\r\nthree\r\n',
      mixed: 'one\r\ntwo\nthree\r\nfour\n',
      mac: 'one\rtwo\rthree',
      bare: 'one\ntwo',
      feed: 'one\ntwo',
      unfeed: 'one\ntwo\n',
      flip: 'one\ntwo\n',
      flop: 'one\r\ntwo\r\n',
    });
    repository
      .change('crlf', 'one\r\nTWO\r\nthree\r\n')
      .change('mixed', 'one\r\nTWO\nthree\r\nfour\r\n')
      .change('mac', 'one\rtwo\rTHREE')
      .change('bare', 'one\nTWO')
      .change('feed', 'one\ntwo\n')
      .change('unfeed', 'one\ntwo')
      .change('flip', 'one\r\ntwo\r\n')
      .change('flop', 'one\ntwo\n');
    await appliesAs(repository.diff());
  });

  it('keeps bytes that are not UTF-8', async () => {
    repository = new Repository({ latin: Buffer.from('gr\xfc\xdfe\nzwei\n', 'latin1'), bom: '\ufeffa\n' });
    repository.change('latin', Buffer.from('gr\xfc\xdfe\nzw\xf6lf\n', 'latin1')).change('bom', '\ufeffb\n');
    await appliesAs(repository.diff());
  });

  for (const quotePath of ['true', 'false'])
    it(`finds files of any name, with core.quotePath=${quotePath}`, async () => {
      const names = [
        'é.txt',
        '日本/x y.txt',
        ' lead',
        'trail ',
        'a b/c d',
        'tab\there',
        'quo"te',
        'back\\slash',
        'line\nfeed',
        '-- a',
        '+++ b',
        'b/b b/x',
        'cr\r',
        "it's",
        '\u0007bell',
      ];
      repository = new Repository(Object.fromEntries(names.map((name) => [name, `in ${name}\n`])));
      for (const name of names) repository.change(name, 'changed\n');
      repository.change('ö new', 'x\n').change('ü empty', '');
      repository.git('add', '-A');
      const patch = repository.git('-c', `core.quotePath=${quotePath}`, 'diff', '--cached', '--binary');
      if (quotePath === 'true') assert.match(patch.toString('latin1'), /"a\/\\303\\251\.txt"/);
      await appliesAs(patch);
    });

  it('renames and copies, with and without changes', async () => {
    repository = new Repository({
      'old.txt': lines(1, 30),
      'o d/ä.txt': lines(1, 20),
      'src.txt': lines(5, 40),
    });
    repository.change('new name.txt', lines(1, 30)).change('old.txt', undefined);
    repository.change('o d/ö.txt', lines(1, 9) + lines(11, 20)).change('o d/ä.txt', undefined);
    repository.change('copy.txt', lines(5, 39));
    const patch = repository.diff('diff', '--cached', '--binary', '-M', '-C', '--find-copies-harder');
    assert.match(
      patch.toString(),
      /rename from old\.txt[^]*copy to copy\.txt|copy to copy\.txt[^]*rename from old\.txt/,
    );
    await appliesAs(patch);
  });

  it('holds binary files: new, changed by literal and by delta, deleted', async () => {
    const big = binary(200_000);
    const changed = Buffer.concat([big.subarray(0, 70_000), Buffer.from('here'), big.subarray(70_010)]);
    repository = new Repository({
      big,
      small: Buffer.from([0, 1, 2]),
      gone: binary(500),
      'was text': 'text\n',
    });
    repository
      .change('big', changed)
      .change('small', Buffer.from([0, 9]))
      .change('gone', undefined)
      .change('new', binary(70_000))
      .change('was text', Buffer.from([0, 255, 0]));
    const patch = repository.diff();
    assert.match(patch.toString('latin1'), /\ndelta \d+\n[^]*\nliteral \d+\n/);
    await appliesAs(patch);
  });

  it('changes modes', async () => {
    repository = new Repository({ tool: '#!/bin/sh\n', plain: 'x\n', both: 'a\n' });
    chmodSync(join(repository.changed, 'tool'), 0o755);
    repository.change('both', 'b\n').change('made', '#!/bin/sh\n');
    for (const name of ['both', 'made']) chmodSync(join(repository.changed, name), 0o755);
    const { changes, problems } = await repository.plan(repository.diff());
    assert.deepEqual(problems, []);
    assert.deepEqual(
      changes.map(({ path, executable, before, after }) => [
        path,
        executable,
        before?.toString(),
        after?.toString(),
      ]),
      [
        ['both', true, 'a\n', 'b\n'],
        ['made', true, undefined, '#!/bin/sh\n'],
        ['tool', true, '#!/bin/sh\n', '#!/bin/sh\n'],
      ],
    );
  });

  it('finds lines that have moved, and leaves what the person changed elsewhere', async () => {
    repository = new Repository({ a: lines(1, 60) });
    repository.change('a', lines(1, 39) + 'forty\n' + lines(41, 60));
    repository.edit('a', 'mine\nmine\n' + lines(1, 20) + lines(24, 60));
    await repository.apply(repository.diff());
    assert.equal(
      repository.files(repository.target)['a'],
      'mine\nmine\n' + lines(1, 20) + lines(24, 39) + 'forty\n' + lines(41, 60),
    );
  });

  it('takes the nearest of several places', async () => {
    const block = 'a\nb\nc\nx\nd\ne\nf\n';
    repository = new Repository({ a: block.repeat(9) });
    repository.change('a', block.repeat(4) + block.replace('x', 'y') + block.repeat(4));
    repository.edit('a', 'mine\n' + block.repeat(9));
    await repository.apply(repository.diff());
    assert.equal(
      repository.files(repository.target)['a'],
      'mine\n' + block.repeat(4) + block.replace('x', 'y') + block.repeat(4),
    );
  });

  it('applies to a checkout with other line endings, when they are the same throughout', async () => {
    repository = new Repository({ a: 'one\ntwo\nthree\n' });
    repository.change('a', 'one\nTWO\nthree\n').edit('a', 'one\r\ntwo\r\nthree\r\n');
    await repository.apply(repository.diff());
    assert.equal(repository.files(repository.target)['a'], 'one\r\nTWO\r\nthree\r\n');
  });

  it('names each change that does not fit, and applies the rest when asked', async () => {
    repository = new Repository({ a: lines(1, 60), b: 'one\n', c: 'one\n' });
    repository.change('a', lines(1, 9) + 'ten\n' + lines(11, 49) + 'fifty\n' + lines(51, 60));
    repository
      .change('b', 'two\n')
      .change('c', 'two\n')
      .edit('a', lines(1, 8) + 'mine\n' + lines(10, 60))
      .edit('c', 'mine\n');
    const plan = await repository.apply(repository.diff());
    assert.deepEqual(plan.problems, [
      { path: 'a', what: 'change 1 of 2, near line 7, does not fit' },
      { path: 'c', what: 'change 1 of 1, near line 1, does not fit' },
    ]);
    assert.deepEqual(
      plan.changes.map(({ path }) => path),
      ['a', 'b'],
    );
    assert.deepEqual(repository.files(repository.target), {
      a: lines(1, 8) + 'mine\n' + lines(10, 49) + 'fifty\n' + lines(51, 60),
      b: 'two\n',
      c: 'mine\n',
    });
  });

  it('does not overwrite, delete or change what is not what it was made for', async () => {
    const bytes = binary(100);
    repository = new Repository({ gone: 'x\n', deleted: 'x\n', missing: 'x\n', bin: bytes });
    repository
      .change('gone', undefined)
      .change('deleted', undefined)
      .change('missing', 'y\n')
      .change('new', 'mine\n')
      .change('bin', binary(100));
    repository
      .edit('gone', 'x\nand mine\n')
      .edit('deleted', undefined)
      .edit('missing', undefined)
      .edit('new', 'theirs\n')
      .edit('bin', binary(99));
    const { changes, problems, already } = await repository.plan(repository.diff());
    assert.deepEqual(changes, []);
    assert.deepEqual(already, ['deleted']);
    assert.deepEqual(problems, [
      { path: 'bin', what: 'is a binary file that was changed here' },
      { path: 'gone', what: 'holds other content than what the patch deletes' },
      { path: 'missing', what: 'is not there' },
      { path: 'new', what: 'is there already, with other content' },
    ]);
  });

  it('leaves symbolic links alone, also where a file becomes one', async () => {
    repository = new Repository({ 'was-file': 'x\n', other: 'x\n' });
    rmSync(join(repository.changed, 'was-file'));
    symlinkSync('/etc/passwd', join(repository.changed, 'was-file'));
    symlinkSync('other', join(repository.changed, 'link'));
    repository.change('other', 'y\n');
    const { changes, problems } = await repository.plan(repository.diff());
    assert.deepEqual(
      changes.map(({ path }) => path),
      ['other'],
    );
    assert.deepEqual(
      [...new Set(problems.map(({ path, what }) => `${path} ${what}`))],
      [
        'link is a symbolic link, which has to be made by hand',
        'was-file is a symbolic link, which has to be made by hand',
      ],
    );
  });

  it('reads patches without index, without prefixes, of mails, and of diff itself', async () => {
    repository = new Repository({ 'a b': lines(1, 20), x: 'gone\n' });
    repository
      .change('a b', lines(1, 10) + 'new\n' + lines(11, 20))
      .change('x', undefined)
      .change('n', 'n\n');
    for (const extra of [
      '--no-prefix',
      '--src-prefix=i/',
      '--dst-prefix=weird/',
      '--patch-with-stat',
      '-U1',
      '--word-diff=none',
    ])
      assert.equal(
        (await repository.plan(repository.diff('diff', '--cached', extra))).changes.length,
        3,
        extra,
      );
    repository.git('add', '-A');
    repository.git('commit', '-q', '-m', 'second\n\n--- a\n+++ b\nnot a patch');
    await appliesAs(repository.git('format-patch', '--stdout', 'HEAD~1'));
  });

  it('reads what diff -ru wrote', async () => {
    repository = new Repository({});
    repository.edit('f', 'one\ntwo\n');
    const patch =
      '--- f.orig\t2026-01-01 00:00:00.000000000 +0000\n+++ f\t2026-01-02\n@@ -1,2 +1,2 @@\n one\n-two\n+three\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+x\n';
    await repository.apply(Buffer.from(patch));
    assert.deepEqual(repository.files(repository.target), { f: 'one\nthree\n', new: 'x\n' });
  });

  it('applies commits one after the other on the same file', async () => {
    repository = new Repository({ a: lines(1, 10) });
    for (const word of ['first', 'second']) {
      repository
        .change('a', lines(1, 5) + `${word}\n` + lines(7, 10))
        .change(word, 'x\n')
        .git('add', '-A');
      repository.git('commit', '-q', '-m', word);
    }
    renameSync(join(repository.changed, 'first'), join(repository.changed, 'third'));
    repository.git('add', '-A');
    repository.git('commit', '-q', '-m', 'third');
    await repository.apply(repository.git('format-patch', '--stdout', '-M', 'HEAD~3'));
    assert.deepEqual(repository.files(repository.target), repository.files(repository.changed));
  });

  it('says on which line it cannot be read, and what binary content is damaged', async () => {
    repository = new Repository({ a: lines(1, 10), bin: binary(60) });
    repository.change('a', lines(2, 9));
    const patch = repository.diff().toString();
    await assert.rejects(
      repository.plan(Buffer.from(patch.slice(0, patch.indexOf(' line 3')))),
      /line 5: the patch ends in the middle/,
    );
    repository.change('a', lines(1, 10)).change('bin', binary(60));
    const patched = repository.diff().toString('latin1');
    const damaged = patched.replace(
      /(literal 60\n)(.)(.)/,
      (_, head: string, a: string, b: string) => `${head}${a}${b === 'x' ? 'y' : 'x'}`,
    );
    const { changes, problems } = await repository.plan(Buffer.from(damaged, 'latin1'));
    assert.deepEqual(changes, []);
    assert.match(problems[0]?.what ?? '', /binary content in the patch is damaged/);
  });

  it('says when it has no content of a binary file', async () => {
    repository = new Repository({ bin: binary(60) });
    repository.change('bin', binary(60));
    const { problems } = await repository.plan(repository.diff('diff', '--cached'));
    assert.deepEqual(problems, [{ path: 'bin', what: 'is a binary file whose content is not in the patch' }]);
  });

  it('is refused whole when it goes through a symbolic link', async () => {
    repository = new Repository({ 'd/a': 'x\n', b: 'x\n' });
    repository.change('d/a', 'y\n').change('b', 'y\n');
    rmSync(join(repository.target, 'd'), { recursive: true });
    symlinkSync(join(repository.root), join(repository.target, 'd'));
    await assert.rejects(
      repository.plan(repository.diff()),
      (error: unknown) =>
        isAmbientError(error, 'unsafe_path') && /"d" is a symbolic link/.test(error.message),
    );
  });
});
