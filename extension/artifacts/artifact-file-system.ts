/** Sessions' artifacts as files, read only: what makes editors, diffs, search and Markdown pictures work on them. */
import * as vscode from 'vscode';
import type { Artifact } from '../../common/api/live.ts';
import { AmbientError, isAmbientError, messageOf } from '../../common/errors.ts';
import { artifactPlace, artifactUri } from './artifact-uri.ts';
import type { ArtifactPlace } from './artifact-uri.ts';
import type { ArtifactChanges } from './changes.ts';
import { childrenOf, entryAt } from './entries.ts';
import type { LiveArtifacts } from './live.ts';
import { readArtifact, TooLarge } from './reading.ts';

export interface ArtifactFileSystemOptions {
  live: LiveArtifacts;
  changes: ArtifactChanges;
  /** An editor wanted what is too large for it. */
  onTooLarge(place: ArtifactPlace, artifact: Artifact): void;
}

const CHANGE_TYPES = {
  created: vscode.FileChangeType.Created,
  changed: vscode.FileChangeType.Changed,
  deleted: vscode.FileChangeType.Deleted,
} as const;

export class ArtifactFileSystem implements vscode.FileSystemProvider {
  readonly #options: ArtifactFileSystemOptions;
  readonly #changed = new vscode.EventEmitter<vscode.FileChangeEvent[]>();
  readonly onDidChangeFile = this.#changed.event;

  constructor(options: ArtifactFileSystemOptions) {
    this.#options = options;
    options.changes.onChange(({ ref, changes }) =>
      this.#changed.fire(
        changes.map(({ path, type }) => ({
          type: CHANGE_TYPES[type],
          uri: vscode.Uri.from(artifactUri(ref, path)),
        })),
      ),
    );
  }

  watch(uri: vscode.Uri): vscode.Disposable {
    const place = artifactPlace(uri);
    return place === undefined
      ? new vscode.Disposable(() => undefined)
      : this.#options.changes.hold(place.ref);
  }

  async stat(uri: vscode.Uri): Promise<vscode.FileStat> {
    const { ref, path } = placeOf(uri);
    return await translated(uri, async () => {
      const entry = entryAt(await this.#options.live.list(ref), path);
      if (entry === undefined) throw vscode.FileSystemError.FileNotFound(uri);
      const permissions = vscode.FilePermission.Readonly;
      if (entry.kind === 'folder')
        return { type: vscode.FileType.Directory, ctime: 0, mtime: entry.newestMs, size: 0, permissions };
      const { createdAt, size } = entry.artifact;
      const time = Date.parse(createdAt);
      return { type: vscode.FileType.File, ctime: time, mtime: time, size, permissions };
    });
  }

  async readDirectory(uri: vscode.Uri): Promise<[string, vscode.FileType][]> {
    const { ref, path } = placeOf(uri);
    return await translated(uri, async () => {
      const artifacts = await this.#options.live.list(ref);
      const entry = entryAt(artifacts, path);
      if (entry === undefined) throw vscode.FileSystemError.FileNotFound(uri);
      if (entry.kind === 'file') throw vscode.FileSystemError.FileNotADirectory(uri);
      return Array.from(childrenOf(artifacts, path), ([name, kind]) => [
        name,
        kind === 'file' ? vscode.FileType.File : vscode.FileType.Directory,
      ]);
    });
  }

  async readFile(uri: vscode.Uri): Promise<Uint8Array> {
    const place = placeOf(uri);
    return await translated(uri, async () => {
      try {
        return (await readArtifact(this.#options.live, place.ref, place.path)).bytes;
      } catch (error) {
        if (error instanceof TooLarge) this.#options.onTooLarge(place, error.artifact);
        throw error;
      }
    });
  }

  createDirectory(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }

  writeFile(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }

  delete(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }

  rename(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }

  dispose(): void {
    this.#changed.dispose();
  }
}

function placeOf(uri: vscode.Uri): ArtifactPlace {
  const place = artifactPlace(uri);
  if (place === undefined) throw vscode.FileSystemError.FileNotFound(uri);
  return place;
}

/** What the editor shows in place of a file that cannot be read. */
async function translated<T>(uri: vscode.Uri, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof vscode.FileSystemError) throw error;
    if (isAmbientError(error, 'not_found')) throw vscode.FileSystemError.FileNotFound(uri);
    if (isAmbientError(error, 'forbidden')) throw vscode.FileSystemError.NoPermissions(error.message);
    if (error instanceof vscode.CancellationError)
      throw vscode.FileSystemError.Unavailable('Loading was cancelled.');
    const remedy = error instanceof AmbientError ? ` ${error.remedy}` : '';
    throw vscode.FileSystemError.Unavailable(`${messageOf(error)}${remedy}`);
  }
}
