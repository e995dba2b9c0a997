/** The command on stores that were tampered with. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { runAuditCommand } from '../../../operator/audit-command.ts';
import { linesOf } from '../../../operator/record/audit/segments.ts';
import { keys } from '../../../operator/store/keys.ts';
import { aTrail, anEvent, TestBoard } from '../../support/audit.ts';
import { temporaryStore } from '../../support/temporary-store.ts';
import type { TemporaryStore } from '../../support/temporary-store.ts';

const main = join(import.meta.dirname, '..', '..', '..', 'operator', 'main.ts');
const ref = { namespace: 'team-a', writer: 'operator-1' };

describe('audit verify', function () {
  this.timeout(60_000);
  let temporary: TemporaryStore;
  let board: TestBoard;

  beforeEach(async () => {
    temporary = await temporaryStore();
    board = new TestBoard();
    const trail = aTrail(temporary.store, board);
    for (let index = 0; index < 4; index++) await trail.record(anEvent({ index }));
    await aTrail(temporary.store, board, { writer: 'operator-2' }).record(
      anEvent({}, { namespace: 'team-b' }),
    );
  });
  afterEach(() => temporary[Symbol.asyncDispose]());

  const configMap = (): string =>
    JSON.stringify({
      kind: 'ConfigMap',
      data: Object.fromEntries(
        board.list.map(({ namespace, writer, ...head }) => [`${namespace}.${writer}`, JSON.stringify(head)]),
      ),
    });

  async function verify(args: string[] = ['--heads', '-'], input = configMap()) {
    const lines = { out: '', error: '' };
    const code = await runAuditCommand(
      ['verify', '--store-dir', temporary.root, ...args],
      {},
      {
        out: (line) => (lines.out += `${line}\n`),
        error: (line) => (lines.error += `${line}\n`),
        input: Readable.from([input]),
      },
    );
    return { code, ...lines };
  }

  async function change(edit: (lines: string[]) => string[]): Promise<void> {
    const key = keys.auditSegment(ref, 1);
    const lines = edit(await linesOf(temporary.store, key));
    await temporary.store.put(key, Buffer.from(lines.map((line) => `${line}\n`).join('')), {
      contentType: 'application/x-ndjson',
    });
  }

  it('prints a line a chain, and ends with 0 when all are whole', async () => {
    const { code, out, error } = await verify();
    assert.match(
      out,
      /^team-a\/operator-1 {2}OK: 5 records, 1 to 5, \S+Z to \S+Z\nteam-b\/operator-2 {2}OK: 2 records/,
    );
    assert.match(out, /2 chains, 0 broken\n$/);
    assert.equal(error, '');
    assert.equal(code, 0);
  });

  const tamperings: [string, (lines: string[]) => string[], RegExp][] = [
    ['removed', (lines) => lines.toSpliced(2, 1), /BROKEN at record 3, removed: record 3 is missing/],
    [
      'edited',
      (lines) => lines.map((line) => line.replace('"index":1', '"index":9')),
      /BROKEN at record 3, edited/,
    ],
    ['reordered', ([a = '', b = '', c = '', ...rest]) => [a, c, b, ...rest], /BROKEN at record 2, reordered/],
    ['cut off', (lines) => lines.slice(0, 3), /BROKEN at record 4, truncated.*record 5 was published/],
  ];
  for (const [what, edit, expected] of tamperings)
    it(`names the first record of a chain that was ${what}, and ends with 1`, async () => {
      await change(edit);
      const { code, out } = await verify();
      assert.match(out, expected);
      assert.match(out, /team-b\/operator-2 {2}OK/);
      assert.equal(code, 1);
    });

  it('is a command of the operator’s own program', async () => {
    await change((lines) => lines.slice(1));
    const child = spawn(process.execPath, [main, 'audit', 'verify', '--namespace', 'team-a'], {
      env: { PATH: process.env['PATH'] ?? '', AMBIENT_STORE_DIR: temporary.root },
    });
    const { promise: code, resolve } = Promise.withResolvers<number | null>();
    child.once('close', resolve);
    assert.match(await text(child.stdout), /team-a\/operator-1 {2}BROKEN at record 1, removed/);
    assert.equal(await code, 1);
  });

  it('names a chain that is gone as a whole', async () => {
    await temporary.store.remove(keys.auditChain(ref));
    const { code, out } = await verify();
    assert.match(out, /team-a\/operator-1 {2}BROKEN at record 1, chain missing/);
    assert.equal(code, 1);
  });

  it('looks at the namespaces it was told to, and says when it had no heads', async () => {
    await change((lines) => lines.slice(1));
    const { code, out, error } = await verify(['--namespace', 'team-b']);
    assert.equal(code, 0, out);
    assert.match(error, /Without --heads/);
    assert.doesNotMatch(out, /team-a/);
  });

  it('ends with 2 when it cannot find out', async () => {
    assert.match((await verify(['--heads', '-'], 'nonsense')).error, /- is not JSON/);
    assert.match((await verify(['--heads', '-'], '{}')).error, /has no data/);
    const missing = join(temporary.root, 'missing');
    assert.equal((await verify(['--heads', missing])).code, 2);
    assert.equal((await verify(['--store-dir', missing])).code, 2);
    assert.match((await verify(['--hads', 'x'])).error, /--hads/);
    await writeFile(join(temporary.root, 'heads.json'), configMap());
    assert.equal((await verify(['--heads', join(temporary.root, 'heads.json')])).code, 0);
  });
});
