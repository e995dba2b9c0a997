/** From answers or YAML to a running session: pack, create, upload, remember, show. Shared by the commands that launch. */
import * as vscode from 'vscode';
import type { Session } from '../../common/api/session.ts';
import { count, formatBytes } from '../../common/rules/wording.ts';
import { plain } from '../ide/plain-text.ts';
import { settings } from '../ide/settings.ts';
import { launchSession } from '../sessions/launch.ts';
import type { LaunchProgress } from '../sessions/launch.ts';
import { refOf } from '../sessions/session-ref.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { titleOf } from '../sessions/state.ts';
import type { SourceArchive } from '../sessions/source-archive.ts';
import type { CommandContext } from './context.ts';
import { noteRefusal } from './permitted.ts';
import { Cancelled, withProgress } from './progress.ts';

/** Packs a folder, to be found by its digest until it was sent. Rejects with Cancelled. */
export async function packFolder(context: CommandContext, folder: string): Promise<SourceArchive> {
  const [{ packSource }, { SOURCE_BYTES_MAX }] = await Promise.all([
    import('../sessions/source-archive.ts'),
    import('../sessions/live.ts'),
  ]);
  const archive = await withProgress('Packing the folder', (report, signal) => {
    report('looking what is in it');
    let last = 0;
    return packSource({
      folder,
      env: process.env,
      signal,
      maxBytes: SOURCE_BYTES_MAX,
      onProgress: ({ files, totalFiles, bytes }) => {
        // Ten times a second is plenty for a person.
        if (performance.now() - last < 100) return;
        last = performance.now();
        report(`${files} of ${count(totalFiles, 'file')}, ${formatBytes(bytes)}`, files / totalFiles);
      },
    });
  });
  await context.packed.keep(archive);
  const { files, sizeBytes, hasHistory, warnings } = archive;
  context.notify.log(
    `packed ${folder}: ${count(files, 'file')}, ${formatBytes(sizeBytes)}, ${hasHistory ? 'with' : 'without'} history`,
  );
  for (const warning of warnings) context.output.warn(warning);
  const [first] = warnings;
  if (first !== undefined)
    context.notify.warn(
      warnings.length === 1 ? first : `${first} And ${warnings.length - 1} more; see the log.`,
      [{ title: 'Show Log', command: 'ambient.showOutput' }],
    );
  return archive;
}

/** Creates the session with its source. What fails or is cancelled leaves none behind. Rejects with Cancelled. */
export async function createSession(
  context: CommandContext,
  cluster: string,
  session: Session,
): Promise<SessionRef> {
  const client = await context.clusters.client(cluster);
  const digest = session.spec.source?.upload?.digest;
  const archive = digest === undefined ? undefined : context.packed.get(digest);
  const title = `Launching ${plain(titleOf(session), 60)}`;
  try {
    const created = await withProgress(title, (report, signal) =>
      launchSession({
        client,
        session,
        signal,
        ...(archive === undefined ? {} : { archive }),
        onProgress: (progress) => report(...progressText(progress)),
      }),
    );
    if (digest !== undefined) await context.packed.forget(digest);
    const ref = refOf(cluster, created);
    context.notify.log(`launched ${ref.namespace}/${ref.name} in ${cluster}`);
    context.launched.follow(ref);
    return ref;
  } catch (error) {
    noteRefusal(context, { cluster, namespace: session.metadata.namespace ?? '' }, error);
    // After a failure the same YAML may be launched again, with the same archive.
    if (digest !== undefined && error instanceof Cancelled) await context.packed.forget(digest);
    throw error;
  }
}

function progressText(progress: LaunchProgress): [string, number?] {
  if (progress.doing === 'creating') return ['creating the session'];
  const { sentBytes, totalBytes } = progress;
  return [
    `sending the source: ${formatBytes(sentBytes)} of ${formatBytes(totalBytes)}`,
    sentBytes / totalBytes,
  ];
}

/** What follows a launch by hand: the row is selected, and session or log opened as the settings have it. */
export function showLaunched(context: CommandContext, ref: SessionRef): void {
  context.notify.background('selecting the new session', context.tree.revealWhenThere(ref));
  const after = settings.afterLaunch();
  if (after === 'nothing') return;
  context.notify.background(
    'opening the new session',
    vscode.commands.executeCommand(after === 'log' ? 'ambient.openLog' : 'ambient.openSession', ref),
  );
}
