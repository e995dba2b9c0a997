/** Logs of sessions as documents: `ambient-log:` files, what follows and outlines them, and the commands on them. */
import { createWriteStream } from 'node:fs';
import type { WriteStream } from 'node:fs';
import { once } from 'node:events';
import * as vscode from 'vscode';
import type { LogRecord } from '../../common/api/log.ts';
import { count } from '../../common/rules/wording.ts';
import type { Clusters } from '../clusters/clusters.ts';
import type { Notify } from '../ide/notify.ts';
import { plain } from '../ide/plain-text.ts';
import { isSessionRef, refOf } from '../sessions/session-ref.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { titleOf } from '../sessions/state.ts';
import { LogDocuments } from './log-documents.ts';
import { LogFeeds } from './log-feeds.ts';
import { LogFiles } from './log-files.ts';
import { LOG_SCHEME, logPlace, logUri } from './log-uri.ts';
import { LogFolding, LogSymbols } from './outline.ts';

export interface LogsDeps {
  clusters: Pick<Clusters, 'client'>;
  notify: Pick<Notify, 'log' | 'failed' | 'background' | 'info'>;
}

export interface Logs extends vscode.Disposable {
  readonly feeds: LogFeeds;
  readonly documents: LogDocuments;
  /** Records after `since` until the session has ended and all were given; see followRecords. */
  follow(
    ref: SessionRef,
    options: { since: number; signal: AbortSignal },
  ): AsyncGenerator<LogRecord[], void, undefined>;
}

/** Registers everything about logs. Nothing is read before somebody opens one. */
export function registerLogs({ clusters, notify }: LogsDeps): Logs {
  const feeds = new LogFeeds({
    clusters,
    showTimes: () => vscode.workspace.getConfiguration('ambient').get('log.timestamps', true),
    onError: (error) => notify.log('reading a log', error),
  });
  const files = new LogFiles(feeds);
  const documents = new LogDocuments({ feeds, onError: (doing, error) => notify.log(doing, error) });
  const selector = { scheme: LOG_SCHEME };
  const command = (id: string, run: (...args: unknown[]) => unknown): vscode.Disposable =>
    vscode.commands.registerCommand(id, run);
  const subscriptions = [
    files,
    documents,
    vscode.workspace.registerFileSystemProvider(LOG_SCHEME, files, {
      isReadonly: true,
      isCaseSensitive: true,
    }),
    vscode.languages.registerFoldingRangeProvider(selector, new LogFolding(documents)),
    vscode.languages.registerDocumentSymbolProvider(selector, new LogSymbols(documents)),
    command('ambient.openLog', (given) => openLog(given, clusters, notify)),
    command('ambient.saveLog', (given) => saveLog(given, clusters, notify)),
    command('ambient.log.follow', () => setFollowed(documents, true)),
    command('ambient.log.unfollow', () => setFollowed(documents, false)),
    command('ambient.log.retry', () => documents.active?.retry()),
  ];
  return {
    feeds,
    documents,
    async *follow(ref, options) {
      const [{ liveLog }, { followRecords }] = await Promise.all([
        import('./live-log.ts'),
        import('./follow-records.ts'),
      ]);
      yield* followRecords(
        liveLog(() => clusters.client(ref.cluster), ref),
        options,
      );
    },
    dispose: () => {
      for (const subscription of subscriptions) subscription.dispose();
      notify.background('closing logs', feeds.close());
    },
  };
}

function setFollowed(documents: LogDocuments, followed: boolean): void {
  const { active } = documents;
  if (active !== undefined) active.followed = followed;
}

/** Opens the log beside nothing: where editors open. Resolves when it is shown. */
async function openLog(
  given: unknown,
  clusters: Pick<Clusters, 'client'>,
  notify: LogsDeps['notify'],
): Promise<void> {
  const ref = sessionOf(given);
  if (ref === undefined) return;
  try {
    const uri = vscode.Uri.from(await addressOf(ref, clusters));
    // Not openTextDocument, which keeps a document for minutes after its editor is closed.
    await vscode.commands.executeCommand('vscode.open', uri, { preview: true });
  } catch (error) {
    notify.failed('open the log', error, ref.cluster);
  }
}

/** By UID, so that a document goes on meaning the same session when another of its name comes later; shown by its title. */
async function addressOf(
  ref: SessionRef,
  clusters: Pick<Clusters, 'client'>,
): Promise<{ scheme: string; path: string }> {
  const [client, { sessions }] = await Promise.all([
    clusters.client(ref.cluster),
    import('../../common/kube/resource.ts'),
  ]);
  const session = await client.get(sessions, ref);
  // Asked for is one of that name which is gone: its document says so.
  if (ref.uid !== undefined && session.metadata.uid !== ref.uid) return logUri(ref, ref.name);
  return logUri(refOf(ref.cluster, session), plain(titleOf(session), 80));
}

async function saveLog(
  given: unknown,
  clusters: Pick<Clusters, 'client'>,
  notify: LogsDeps['notify'],
): Promise<void> {
  const ref = sessionOf(given);
  if (ref === undefined) return;
  const folder =
    vscode.workspace.workspaceFolders?.[0]?.uri ?? vscode.Uri.file((await import('node:os')).homedir());
  const target = await vscode.window.showSaveDialog({
    title: 'Save the whole log',
    defaultUri: vscode.Uri.joinPath(folder, `${ref.name}.log`),
    filters: { Log: ['log', 'txt'], All: ['*'] },
  });
  if (target === undefined) return;
  try {
    const records = await vscode.window.withProgress(
      {
        location: vscode.ProgressLocation.Notification,
        title: `Saving the log of ${ref.name}`,
        cancellable: true,
      },
      (progress, token) => writeLog(ref, clusters, target, progress, token),
    );
    notify.info(`Saved ${count(records, 'record')} to ${target.fsPath}.`);
  } catch (error) {
    if (!(error instanceof vscode.CancellationError)) notify.failed('save the log', error, ref.cluster);
  }
}

async function writeLog(
  ref: SessionRef,
  clusters: Pick<Clusters, 'client'>,
  target: vscode.Uri,
  progress: vscode.Progress<{ message: string }>,
  token: vscode.CancellationToken,
): Promise<number> {
  const [{ liveLog }, { saveLog: save }] = await Promise.all([
    import('./live-log.ts'),
    import('./save-log.ts'),
  ]);
  const abort = new AbortController();
  token.onCancellationRequested(() => abort.abort(new vscode.CancellationError()));
  if (target.scheme !== 'file') {
    const pieces: string[] = [];
    const write = async (text: string): Promise<void> => void pieces.push(text);
    const records = await save({
      source: liveLog(() => clusters.client(ref.cluster), ref),
      write,
      signal: abort.signal,
    });
    await vscode.workspace.fs.writeFile(target, Buffer.from(pieces.join('')));
    return records;
  }
  const stream = createWriteStream(target.fsPath);
  await once(stream, 'open');
  try {
    return await save({
      source: liveLog(() => clusters.client(ref.cluster), ref),
      signal: abort.signal,
      write: (text) => writeTo(stream, text),
      onProgress: (done) => progress.report({ message: `${done.toLocaleString('en')} records` }),
    });
  } finally {
    await new Promise((resolve) => stream.end(resolve));
  }
}

async function writeTo(stream: WriteStream, text: string): Promise<void> {
  if (!stream.write(text)) await once(stream, 'drain');
}

/** From a row of the tree or another command's argument; else what the active editor is about. */
function sessionOf(given: unknown): SessionRef | undefined {
  if (isSessionRef(given)) {
    const { cluster, namespace, name, uid } = given;
    return { cluster, namespace, name, ...(uid === undefined ? {} : { uid }) };
  }
  const uri = given instanceof vscode.Uri ? given : vscode.window.activeTextEditor?.document.uri;
  return uri === undefined ? undefined : logPlace(uri);
}
