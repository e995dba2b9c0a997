/** ambient.saveLog: asks where to, and writes the whole log there. Loaded on first use. */
import { createWriteStream } from 'node:fs';
import type { WriteStream } from 'node:fs';
import { once } from 'node:events';
import { homedir } from 'node:os';
import { finished } from 'node:stream/promises';
import * as vscode from 'vscode';
import type { Clusters } from '../clusters/clusters.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { liveLog } from './live-log.ts';
import { saveLog } from './save-log.ts';

export interface SavedLog {
  records: number;
  target: vscode.Uri;
}

/**
 * Undefined when the person gave up. Throws CancellationError, KubeError, and what the disk says; what was written until
 * then stays, as part of a log is better than none.
 */
export async function saveLogFile(
  ref: SessionRef,
  clusters: Pick<Clusters, 'client'>,
  given?: vscode.Uri,
): Promise<SavedLog | undefined> {
  const target = given ?? (await askTarget(ref));
  if (target === undefined) return undefined;
  const title = `Saving the log of ${ref.name}`;
  return await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title, cancellable: true },
    async (progress, token) => {
      const abort = new AbortController();
      token.onCancellationRequested(() => abort.abort(new vscode.CancellationError()));
      await using sink = target.scheme === 'file' ? await fileSink(target.fsPath) : memorySink(target);
      const records = await saveLog({
        source: liveLog(() => clusters.client(ref.cluster), ref),
        signal: abort.signal,
        write: sink.write,
        onProgress: (done) => progress.report({ message: `${done.toLocaleString('en')} records` }),
      });
      return { records, target };
    },
  );
}

function askTarget({ name }: SessionRef): Thenable<vscode.Uri | undefined> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri ?? vscode.Uri.file(homedir());
  return vscode.window.showSaveDialog({
    title: 'Save the whole log',
    defaultUri: vscode.Uri.joinPath(folder, `${name}.log`),
    filters: { Log: ['log', 'txt'], All: ['*'] },
  });
}

interface Sink extends AsyncDisposable {
  write: (text: string) => Promise<void>;
}

async function fileSink(path: string): Promise<Sink> {
  const stream: WriteStream = createWriteStream(path);
  await once(stream, 'open');
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);
  stream.on('error', failure.reject);
  return {
    write: async (text) => {
      if (!stream.write(text)) await Promise.race([once(stream, 'drain'), failure.promise]);
    },
    async [Symbol.asyncDispose]() {
      stream.end();
      await finished(stream);
    },
  };
}

/** A file system of another extension takes files only whole. */
function memorySink(target: vscode.Uri): Sink {
  const pieces: string[] = [];
  return {
    write: async (text) => void pieces.push(text),
    async [Symbol.asyncDispose]() {
      await vscode.workspace.fs.writeFile(target, Buffer.from(pieces.join('')));
    },
  };
}
