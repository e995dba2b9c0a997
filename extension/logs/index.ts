/** Logs of sessions as documents: `ambient-log:` files, what follows and outlines them, and the commands on them. */
import * as vscode from 'vscode';
import type { LogRecord } from '../../common/api/log.ts';
import { count } from '../../common/rules/wording.ts';
import type { Clusters } from '../clusters/clusters.ts';
import type { Notify } from '../ide/notify.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { logArgument } from './log-argument.ts';
import { LogDocuments } from './log-documents.ts';
import { LogFeeds } from './log-feeds.ts';
import { LogFiles } from './log-files.ts';
import { LOG_SCHEME } from './log-uri.ts';
import { openLog } from './open-log.ts';
import { LogFolding, LogSymbols } from './outline.ts';

export interface LogsDeps {
  clusters: Pick<Clusters, 'client'>;
  notify: Pick<Notify, 'log' | 'failed' | 'background' | 'info'>;
}

export interface Logs extends vscode.Disposable {
  /** Records after `since` until the session has ended and all were given; see followRecords. */
  follow(
    ref: SessionRef,
    options: { since: number; signal: AbortSignal },
  ): AsyncGenerator<LogRecord[], void, undefined>;
}

/**
 * Registers everything about logs; nothing is read before somebody opens one. ambient.openLog and ambient.saveLog take a
 * SessionRef, a row of the tree, a log's address, or the active editor; saveLog's second argument is where to (a Uri).
 */
export function registerLogs({ clusters, notify }: LogsDeps): Logs {
  const feeds = new LogFeeds({
    clusters,
    showTimes: () => vscode.workspace.getConfiguration('ambient').get('log.timestamps', true),
    onError: (error) => notify.log('reading a log', error),
  });
  const files = new LogFiles(feeds);
  const documents = new LogDocuments({
    feeds,
    onUnreadable: (ref, error) => notify.failed('read the log', error, ref.cluster),
    onError: (doing, error) => notify.log(doing, error),
  });
  const selector = { scheme: LOG_SCHEME };
  const command = (id: string, run: (...args: unknown[]) => unknown): vscode.Disposable =>
    vscode.commands.registerCommand(id, run);
  /** Tells when it fails; giving up is no failure. */
  const onSession =
    (doing: string, run: (ref: SessionRef, second: unknown) => Promise<void>) =>
    async (first: unknown, second: unknown): Promise<void> => {
      const ref = logArgument(first);
      if (ref === undefined) return;
      try {
        await run(ref, second);
      } catch (error) {
        if (!(error instanceof vscode.CancellationError)) notify.failed(doing, error, ref.cluster);
      }
    };
  const setFollowed = (followed: boolean) => (): void => {
    const { active } = documents;
    if (active !== undefined) active.followed = followed;
  };
  const registered = vscode.Disposable.from(
    files,
    documents,
    vscode.workspace.registerFileSystemProvider(LOG_SCHEME, files, {
      isReadonly: true,
      isCaseSensitive: true,
    }),
    vscode.languages.registerFoldingRangeProvider(selector, new LogFolding(documents)),
    vscode.languages.registerDocumentSymbolProvider(selector, new LogSymbols(documents)),
    command(
      'ambient.openLog',
      onSession('open the log', (ref) => openLog(ref, clusters)),
    ),
    command(
      'ambient.saveLog',
      onSession('save the log', async (ref, target) => {
        const { saveLogFile } = await import('./save-log-file.ts');
        const saved = await saveLogFile(ref, clusters, target instanceof vscode.Uri ? target : undefined);
        if (saved !== undefined)
          notify.info(`Saved ${count(saved.records, 'record')} to ${saved.target.fsPath}.`);
      }),
    ),
    command('ambient.log.follow', setFollowed(true)),
    command('ambient.log.unfollow', setFollowed(false)),
    command('ambient.log.retry', () => documents.active?.retry()),
  );
  return {
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
      registered.dispose();
      notify.background('closing logs', feeds.close());
    },
  };
}
