/** What two sessions made, side by side: the paths at which they differ. Pure. */
import type { Artifact } from '../../common/api/live.ts';

export interface Difference {
  path: string;
  /** left, right: only there. */
  kind: 'changed' | 'left' | 'right';
}

export interface Comparison {
  /** By path. */
  differences: Difference[];
  /** Paths at which both have the same bytes. */
  same: number;
}

export function compareArtifacts(left: readonly Artifact[], right: readonly Artifact[]): Comparison {
  const others = new Map(right.map((artifact) => [artifact.path, artifact]));
  const differences: Difference[] = [];
  let same = 0;
  for (const { path, digest } of left) {
    const other = others.get(path);
    others.delete(path);
    if (other === undefined) differences.push({ path, kind: 'left' });
    else if (other.digest === digest) same += 1;
    else differences.push({ path, kind: 'changed' });
  }
  for (const path of others.keys()) differences.push({ path, kind: 'right' });
  differences.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { differences, same };
}
