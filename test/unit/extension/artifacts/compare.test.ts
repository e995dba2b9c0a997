/** At which paths the artifacts of two sessions differ. */
import assert from 'node:assert/strict';
import type { Artifact } from '../../../../common/api/live.ts';
import { compareArtifacts } from '../../../../extension/artifacts/compare.ts';

const of = (...entries: [string, string][]): Artifact[] =>
  entries.map(([path, digest]) => ({
    path,
    digest,
    type: 'output',
    size: 1,
    contentType: 'text/plain',
    createdAt: '2030-01-01T00:00:00Z',
  }));

describe('the artifacts of two sessions', () => {
  it('differ where bytes do, or where only one has the path', () => {
    const left = of(['a', '1'], ['b', '1'], ['z', '1'], ['__proto__', '1']);
    const right = of(['c', '1'], ['b', '2'], ['a', '1']);
    assert.deepEqual(compareArtifacts(left, right), {
      differences: [
        { path: '__proto__', kind: 'left' },
        { path: 'b', kind: 'changed' },
        { path: 'c', kind: 'right' },
        { path: 'z', kind: 'left' },
      ],
      same: 1,
    });
  });

  it('do not where both made the same, or nothing', () => {
    assert.deepEqual(compareArtifacts(of(['a', '1']), of(['a', '1'])), { differences: [], same: 1 });
    assert.deepEqual(compareArtifacts([], []), { differences: [], same: 0 });
  });
});
