/** The .vsix holds the extension and its pages, nothing of operator, runner, tests or sources. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageExtension } from '../../scripts/package.ts';

/** Names in the central directory of a zip file (APPNOTE.TXT 4.3.12). */
function zipEntries(zip: Buffer): string[] {
  const names: string[] = [];
  for (let at = zip.indexOf('PK\u0001\u0002', 0, 'latin1'); at >= 0 && zip.readUInt32LE(at) === 0x02014b50;) {
    const [name, extra, comment] = [
      zip.readUInt16LE(at + 28),
      zip.readUInt16LE(at + 30),
      zip.readUInt16LE(at + 32),
    ];
    names.push(zip.toString('utf8', at + 46, at + 46 + name));
    at += 46 + name + extra + comment;
    if (at + 4 > zip.length) break;
  }
  return names;
}

describe('npm run package', function () {
  this.timeout(120_000);
  let out: string;
  let entries: string[];
  before(async () => {
    out = await mkdtemp(join(tmpdir(), 'ambient-vsix-'));
    entries = zipEntries(await readFile(await packageExtension(out)));
  });
  after(() => rm(out, { recursive: true, force: true }));

  it('packs what the extension needs', () => {
    for (const wanted of [
      'extension/package.json',
      'extension/readme.md',
      'extension/LICENSE.txt',
      'extension/dist/extension/activate.js',
      'extension/dist/webview/session.js',
      'extension/dist/webview/artifact.js',
      'extension/dist/webview/policy.js',
      'extension/dist/mcp/main.mjs',
      'extension/media/ambient.svg',
    ])
      assert.ok(entries.includes(wanted), `${wanted} is missing from ${entries.join(', ')}`);
  });
  it('packs nothing else', () => {
    const allowed =
      /^(\[Content_Types\]\.xml|extension\.vsixmanifest|extension\/(package\.json|readme\.md|changelog\.md|LICENSE\.txt|media\/.+|dist\/(extension|webview|mcp)\/.+))$/;
    assert.deepEqual(
      entries.filter((entry) => !allowed.test(entry)),
      [],
    );
  });
});
