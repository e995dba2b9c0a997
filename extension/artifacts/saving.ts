/** Saves artifacts to disk, one or all of a session's. */
import { mkdir, readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import * as vscode from 'vscode';
import type { Artifact } from '../../common/api/live.ts';
import { messageOf } from '../../common/errors.ts';
import { count, formatBytes } from '../../common/rules/wording.ts';
import { plain } from '../ide/plain-text.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { readWhole, saveWhole } from './download.ts';
import type { RangeSource } from './download.ts';
import type { LiveArtifacts } from './live.ts';
import { problemOf } from './patch/paths.ts';
import { withProgress } from './reading.ts';

/** Asks where to, unless told. Undefined when the person thought better of it. Throws what the download or the disk says. */
export async function saveArtifact(
  live: LiveArtifacts,
  ref: SessionRef,
  path: string,
  chosen?: vscode.Uri,
): Promise<vscode.Uri | undefined> {
  const artifact = await live.find(ref, path);
  const name = fileName(path);
  const target =
    chosen ??
    (await vscode.window.showSaveDialog({
      defaultUri: vscode.Uri.joinPath(likelyFolder(), name),
      title: `Save ${plain(path, 80)}`,
    }));
  if (target === undefined) return undefined;
  const source = live.source(ref, artifact);
  await withProgress(`Saving ${plain(name, 80)}`, (report, signal) =>
    saveTo(source, target, { signal, onProgress: (received) => report(received, artifact.size) }),
  );
  return target;
}

export interface SavedAll {
  folder: vscode.Uri;
  saved: string[];
  /** `path: why not`. */
  failed: string[];
}

/** Into a new folder below the one that is picked or given. Goes on after files that cannot be saved. */
export async function saveAllArtifacts(
  live: LiveArtifacts,
  ref: SessionRef,
  chosen?: vscode.Uri,
): Promise<SavedAll | 'none' | undefined> {
  const artifacts = await live.list(ref);
  if (artifacts.length === 0) return 'none';
  const total = artifacts.reduce((sum, { size }) => sum + size, 0);
  const picked = chosen ?? (await pickFolder(artifacts.length, total));
  if (picked === undefined) return undefined;
  const folder = await newFolder(picked.fsPath, ref.name);
  const saved: string[] = [];
  const failed: string[] = [];
  await withProgress(`Saving artifacts of ${ref.name}`, async (report, signal) => {
    let before = 0;
    for (const artifact of artifacts) {
      try {
        await saveInto(folder, live.source(ref, artifact), artifact, {
          signal,
          onProgress: (received) =>
            report(before + received, total, `${saved.length + 1} of ${count(artifacts.length, 'file')}`),
        });
        saved.push(artifact.path);
      } catch (error) {
        signal.throwIfAborted();
        failed.push(`${artifact.path}: ${messageOf(error)}`);
      }
      before += artifact.size;
    }
  });
  return { folder: vscode.Uri.file(folder), saved, failed };
}

interface Progress {
  signal: AbortSignal;
  onProgress(received: number): void;
}

async function saveTo(source: RangeSource, target: vscode.Uri, progress: Progress): Promise<void> {
  if (target.scheme === 'file') return await saveWhole(source, target.fsPath, progress);
  // Other file systems take a file only whole.
  await vscode.workspace.fs.writeFile(target, await readWhole(source, progress));
}

async function saveInto(
  folder: string,
  source: RangeSource,
  { path }: Artifact,
  progress: Progress,
): Promise<void> {
  // The list comes from outside: what it names must stay in the folder.
  const problem = problemOf(path, process.platform === 'win32');
  if (problem !== undefined) throw new Error(`the path ${problem}`);
  const file = join(folder, ...path.split('/'));
  await mkdir(dirname(file), { recursive: true });
  await saveWhole(source, file, progress);
}

/** `name`, or `name-2` and so on where something is there already. */
async function newFolder(parent: string, name: string): Promise<string> {
  for (let number = 1; ; number += 1) {
    const folder = join(parent, number === 1 ? name : `${name}-${number}`);
    await mkdir(folder, { recursive: true });
    if ((await readdir(folder)).length === 0) return folder;
  }
}

async function pickFolder(files: number, bytes: number): Promise<vscode.Uri | undefined> {
  const picked = await vscode.window.showOpenDialog({
    canSelectFiles: false,
    canSelectFolders: true,
    defaultUri: likelyFolder(),
    openLabel: 'Save Here',
    title: `Save ${count(files, 'artifact')}, ${formatBytes(bytes)}`,
  });
  return picked?.[0];
}

const likelyFolder = (): vscode.Uri =>
  vscode.workspace.workspaceFolders?.find(({ uri }) => uri.scheme === 'file')?.uri ??
  vscode.Uri.file(homedir());

/** The last segment, without what some file system would trip over. */
function fileName(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1).replace(/[\\/:*?"<>|\u0000-\u001f]/g, '_');
  return /^\.*$/.test(name) ? 'artifact' : name;
}
