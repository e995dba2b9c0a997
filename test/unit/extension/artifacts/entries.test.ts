/** Folders that a flat list of artifacts implies, and what changed between two lists. */
import assert from 'node:assert/strict';
import type { Artifact } from '../../../../common/api/live.ts';
import { changesBetween, childrenOf, entryAt } from '../../../../extension/artifacts/entries.ts';

const artifact = (path: string, digit = '0', createdAt = '2026-01-01T00:00:00Z'): Artifact => ({
  path,
  type: 'output',
  size: 1,
  contentType: 'text/plain',
  createdAt,
  digest: `sha256:${digit.repeat(64)}`,
});

describe('the folders of artifacts', () => {
  const list = [
    artifact('a.md'),
    artifact('d/b.md'),
    artifact('d/e/c.md', '0', '2026-01-02T00:00:00Z'),
    artifact('dd'),
  ];

  it('are what paths imply', () => {
    assert.deepEqual(
      [...childrenOf(list, '')],
      [
        ['a.md', 'file'],
        ['d', 'folder'],
        ['dd', 'file'],
      ],
    );
    assert.deepEqual(
      [...childrenOf(list, 'd')],
      [
        ['b.md', 'file'],
        ['e', 'folder'],
      ],
    );
    assert.equal(entryAt(list, 'd/e')?.kind, 'folder');
    assert.equal(entryAt(list, 'd/e/c.md')?.kind, 'file');
    assert.equal(entryAt(list, 'd/x'), undefined);
    assert.equal(entryAt([], '')?.kind, 'folder');
  });

  it('are as new as the newest file in them', () => {
    assert.deepEqual(entryAt(list, 'd'), { kind: 'folder', newestMs: Date.parse('2026-01-02T00:00:00Z') });
  });

  it('tell what came, changed and went', () => {
    const after = [artifact('a.md', '1'), artifact('d/b.md'), artifact('new')];
    assert.deepEqual(changesBetween(list, after), [
      { path: 'a.md', type: 'changed' },
      { path: 'new', type: 'created' },
      { path: 'd/e/c.md', type: 'deleted' },
      { path: 'dd', type: 'deleted' },
    ]);
  });
});
