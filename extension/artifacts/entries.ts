/** Folders and files as a flat list of artifacts implies them. */
import type { Artifact } from '../../common/api/live.ts';

export type Entry = { kind: 'file'; artifact: Artifact } | { kind: 'folder'; newestMs: number };

/** What is at `path` ('' is the root, which is always there). */
export function entryAt(artifacts: readonly Artifact[], path: string): Entry | undefined {
  const file = artifacts.find((artifact) => artifact.path === path);
  if (file !== undefined) return { kind: 'file', artifact: file };
  const inside = below(artifacts, path);
  if (inside.length === 0 && path !== '') return undefined;
  return { kind: 'folder', newestMs: Math.max(0, ...inside.map(({ createdAt }) => Date.parse(createdAt))) };
}

/** Names directly below a folder. A name that is file and folder at once is a file. */
export function childrenOf(artifacts: readonly Artifact[], path: string): Map<string, 'file' | 'folder'> {
  const names = new Map<string, 'file' | 'folder'>();
  const start = path === '' ? 0 : path.length + 1;
  for (const artifact of below(artifacts, path)) {
    const end = artifact.path.indexOf('/', start);
    if (end < 0) names.set(artifact.path.slice(start), 'file');
    else if (!names.has(artifact.path.slice(start, end)))
      names.set(artifact.path.slice(start, end), 'folder');
  }
  return names;
}

function below(artifacts: readonly Artifact[], path: string): readonly Artifact[] {
  return path === '' ? artifacts : artifacts.filter((artifact) => artifact.path.startsWith(`${path}/`));
}

export interface EntryChange {
  path: string;
  type: 'created' | 'changed' | 'deleted';
}

/** What became of files between two lists. */
export function changesBetween(before: readonly Artifact[], after: readonly Artifact[]): EntryChange[] {
  const old = new Map(before.map((artifact) => [artifact.path, artifact]));
  const changes: EntryChange[] = [];
  for (const { path, digest, createdAt } of after) {
    const known = old.get(path);
    old.delete(path);
    if (known === undefined) changes.push({ path, type: 'created' });
    else if (known.digest !== digest || known.createdAt !== createdAt)
      changes.push({ path, type: 'changed' });
  }
  for (const path of old.keys()) changes.push({ path, type: 'deleted' });
  return changes;
}
