/** Reads artifacts whole, with a word about progress when that takes a while, and again when one was replaced meanwhile. */
import * as vscode from 'vscode';
import type { Artifact } from '../../common/api/live.ts';
import { isAmbientError } from '../../common/errors.ts';
import { formatBytes } from '../../common/rules/wording.ts';
import { plain } from '../ide/plain-text.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import type { LiveArtifacts } from './live.ts';

/** Smaller ones are there before anybody could read a message. */
const WORTH_A_WORD_BYTES = 8 * 1024 * 1024;
/** How often an artifact may be replaced while it is read. */
const TRIES = 3;

export interface ReadArtifact {
  artifact: Artifact;
  bytes: Buffer;
}

/** Megabytes of the setting are decimal, as in its description. */
export const maxOpenBytes = (): number =>
  vscode.workspace.getConfiguration('ambient').get('artifacts.maxOpenMegabytes', 50) * 1_000_000;

/** Larger than what the editor is asked to show. */
export class TooLarge extends Error {
  readonly artifact: Artifact;

  constructor(artifact: Artifact, maxBytes: number) {
    super(
      `${plain(artifact.path)} is ${formatBytes(artifact.size)} large; above ${formatBytes(maxBytes)} artifacts can only be saved.`,
    );
    this.name = 'TooLarge';
    this.artifact = artifact;
  }
}

/** Throws TooLarge, CancellationError, and whatever the download throws. */
export async function readArtifact(
  live: LiveArtifacts,
  ref: SessionRef,
  path: string,
): Promise<ReadArtifact> {
  for (let attempt = 1; ; attempt += 1) {
    const artifact = await live.find(ref, path);
    const maxBytes = maxOpenBytes();
    if (artifact.size > maxBytes) throw new TooLarge(artifact, maxBytes);
    try {
      return { artifact, bytes: await readOnce(live, ref, artifact) };
    } catch (error) {
      if (attempt >= TRIES || !isAmbientError(error, 'conflict', 'digest_mismatch')) throw error;
      live.forget(ref);
    }
  }
}

async function readOnce(live: LiveArtifacts, ref: SessionRef, artifact: Artifact): Promise<Buffer> {
  const { readWhole } = await import('./download.ts');
  const source = live.source(ref, artifact);
  if (artifact.size < WORTH_A_WORD_BYTES)
    return await readWhole(source, { signal: new AbortController().signal });
  return await withProgress(`Loading ${plain(artifact.path, 80)}`, (report, signal) =>
    readWhole(source, { signal, onProgress: (received) => report(received, artifact.size) }),
  );
}

/** A notification with a bar, in bytes, and a button to cancel, which throws CancellationError. */
export async function withProgress<T>(
  title: string,
  work: (report: (done: number, of: number, note?: string) => void, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title, cancellable: true },
    async (progress, token) => {
      const controller = new AbortController();
      token.onCancellationRequested(() => controller.abort(new vscode.CancellationError()));
      let shown = 0;
      return await work((done, of, note) => {
        const percent = of === 0 ? 100 : Math.floor((done / of) * 100);
        if (percent <= shown && note === undefined) return;
        const message = note ?? `${formatBytes(done)} of ${formatBytes(of)}`;
        progress.report({ message, increment: Math.max(0, percent - shown) });
        shown = Math.max(shown, percent);
      }, controller.signal);
    },
  );
}
