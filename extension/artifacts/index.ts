/** Artifacts in the editor: the file system `ambient:`, the picture preview, and the commands on artifacts and patches. */
import * as vscode from 'vscode';
import { count, formatBytes, formatList } from '../../common/rules/wording.ts';
import type { Clusters } from '../clusters/clusters.ts';
import type { Notify } from '../ide/notify.ts';
import { plainMessage } from '../ide/plain-text.ts';
import { isSessionRef } from '../sessions/session-ref.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import type { SessionWatches } from '../sessions/session-watch.ts';
import { ArtifactFileSystem } from './artifact-file-system.ts';
import { ARTIFACT_SCHEME } from './artifact-uri.ts';
import type { ArtifactPlace } from './artifact-uri.ts';
import { ArtifactChanges } from './changes.ts';
import { LiveArtifacts } from './live.ts';
import { applyOptionsOf } from './patch/options.ts';
import { PatchedDocuments } from './patch/patched-documents.ts';
import { PICTURE_EDITOR, PictureEditor } from './picture-editor.ts';
import { TooLarge } from './reading.ts';
import { namedTarget, sessionOf, targetOf } from './target.ts';

export interface ArtifactsDeps {
  clusters: Pick<Clusters, 'connection' | 'client'>;
  watches: Pick<SessionWatches, 'acquire'>;
  notify: Pick<Notify, 'log' | 'failed' | 'background'>;
}

/**
 * Commands, all of which take `(ref, path)`, `(ref, artifact)`, a tree row, a document's address, or the active editor:
 * ambient.openArtifact, openArtifactAsText, saveArtifact (third argument: where to, a Uri or path), saveAllArtifacts
 * (ref, folder?), reviewPatch, applyPatch (third argument: ApplyOptions) and applyHunks, which asks what to take.
 * compareArtifacts takes two sessions: (ref, ref), or two selected rows.
 */
export function registerArtifacts(
  context: Pick<vscode.ExtensionContext, 'extensionUri'>,
  deps: ArtifactsDeps,
): vscode.Disposable {
  const { notify } = deps;
  const live = new LiveArtifacts(deps.clusters);
  const changes = new ArtifactChanges({
    live,
    watches: deps.watches,
    onError: (error) => notify.log('following artifacts', error),
  });
  const offered = new Set<string>();
  /** One offer for one artifact at a time: the editor asks for a file more than once. */
  const offerToSave = ({ ref, path }: ArtifactPlace, size: number, message: string): void => {
    const key = JSON.stringify([ref, path, size]);
    if (offered.has(key)) return;
    offered.add(key);
    const answer = vscode.window
      .showWarningMessage(plainMessage(message), 'Save As…')
      .then(async (choice) => {
        offered.delete(key);
        if (choice !== undefined) await vscode.commands.executeCommand('ambient.saveArtifact', ref, path);
      });
    notify.background('offering to save an artifact', answer);
  };
  const files = new ArtifactFileSystem({
    live,
    changes,
    onTooLarge: (place, { size, path }) =>
      offerToSave(place, size, `${path} is too large for an editor (${formatBytes(size)}).`),
  });
  const patched = new PatchedDocuments();
  const pictures = new PictureEditor({
    extensionUri: context.extensionUri,
    live,
    changes,
    background: (doing, work) => notify.background(doing, work),
  });

  /** Runs a command, and tells when it fails; cancelling is no failure. */
  const guarded = async <T>(
    doing: string,
    place: ArtifactPlace,
    work: () => Promise<T>,
  ): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof TooLarge) offerToSave(place, error.artifact.size, error.message);
      else if (!(error instanceof vscode.CancellationError)) notify.failed(doing, error, place.ref.cluster);
      return undefined;
    }
  };
  const command = (
    name: string,
    doing: string,
    run: (place: ArtifactPlace, third: unknown) => Promise<unknown>,
  ): vscode.Disposable =>
    vscode.commands.registerCommand(name, async (first: unknown, second: unknown, third: unknown) => {
      const place = targetOf(first, second);
      if (place === undefined)
        return void vscode.window.showInformationMessage('Select an artifact of a session first.');
      // A person who asks wants what is there now; what the editor asks for after that may come from the same list.
      live.forget(place.ref);
      return await guarded(`${doing} ${place.path}`, place, () => run(place, third));
    });

  return vscode.Disposable.from(
    changes,
    files,
    patched,
    vscode.workspace.registerFileSystemProvider(ARTIFACT_SCHEME, files, {
      isReadonly: new vscode.MarkdownString('Artifacts of sessions are read-only. Save a copy to change it.'),
      isCaseSensitive: true,
    }),
    vscode.window.registerCustomEditorProvider(PICTURE_EDITOR, pictures, {
      supportsMultipleEditorsPerDocument: true,
    }),
    command('ambient.openArtifact', 'open', async ({ ref, path }) => {
      const { openArtifact } = await import('./open.ts');
      await openArtifact(live, ref, path);
    }),
    command('ambient.openArtifactAsText', 'open', async ({ ref, path }) => {
      const { openAsText } = await import('./open.ts');
      await openAsText(ref, path);
    }),
    command('ambient.saveArtifact', 'save', async ({ ref, path }, third) => {
      const { saveArtifact } = await import('./saving.ts');
      const saved = await saveArtifact(live, ref, path, uriOf(third));
      if (saved !== undefined) notify.background('telling what was saved', tellSaved(saved));
      return saved;
    }),
    vscode.commands.registerCommand('ambient.saveAllArtifacts', async (first: unknown, second: unknown) => {
      const ref = sessionOf(first);
      if (ref === undefined) return void vscode.window.showInformationMessage('Select a session first.');
      live.forget(ref);
      return await guarded(`save the artifacts of ${ref.name}`, { ref, path: '' }, async () => {
        const { saveAllArtifacts } = await import('./saving.ts');
        const result = await saveAllArtifacts(live, ref, uriOf(second));
        if (result === undefined) return undefined;
        notify.background('telling what was saved', result === 'none' ? tellNone(ref.name) : tellAll(result));
        return result;
      });
    }),
    command('ambient.reviewPatch', 'review', async ({ ref, path }) => {
      const { reviewPatch } = await import('./patch/review.ts');
      await reviewPatch({ live, patched, notify }, { ref, path });
    }),
    command('ambient.applyHunks', 'apply', async (place) => {
      const { applyPatch } = await import('./patch/review.ts');
      return await applyPatch({ live, patched, notify }, place, { pick: true });
    }),
    vscode.commands.registerCommand('ambient.compareArtifacts', async (first: unknown, second: unknown) => {
      const [left, right] = twoSessions(first, second);
      if (left === undefined || right === undefined)
        return void vscode.window.showInformationMessage(
          'Select two sessions in the Ambient Sessions view, then compare their artifacts.',
        );
      return await guarded(`compare the artifacts of ${left.name}`, { ref: left, path: '' }, async () => {
        const { compareSessions } = await import('./compare-sessions.ts');
        await compareSessions(live, left, right);
      });
    }),
    vscode.commands.registerCommand(
      'ambient.applyPatch',
      async (first: unknown, second: unknown, third: unknown) => {
        // The title of a review names no artifact: its own patch is meant.
        const named = namedTarget(first, second);
        const review = named === undefined ? patched.active() : undefined;
        const place = named ?? review?.place ?? targetOf(first, second);
        if (place === undefined)
          return void vscode.window.showInformationMessage('Select a patch of a session first.');
        live.forget(place.ref);
        return await guarded(`apply ${place.path}`, place, async () => {
          const { applyPatch } = await import('./patch/review.ts');
          const options =
            review === undefined ? applyOptionsOf(third) : { folder: review.folder, reviewed: true };
          return await applyPatch({ live, patched, notify }, place, options);
        });
      },
    ),
  );
}

/** Two that are given, or the rows selected together. */
function twoSessions(first: unknown, second: unknown): (SessionRef | undefined)[] {
  if (!Array.isArray(second)) return [sessionOf(first), isSessionRef(second) ? sessionOf(second) : undefined];
  return (second as unknown[]).filter(isSessionRef).map((each) => sessionOf(each));
}

function uriOf(value: unknown): vscode.Uri | undefined {
  if (value instanceof vscode.Uri) return value;
  return typeof value === 'string' ? vscode.Uri.file(value) : undefined;
}

async function tellSaved(uri: vscode.Uri): Promise<void> {
  const choice = await vscode.window.showInformationMessage(
    plainMessage(`Saved ${uri.scheme === 'file' ? uri.fsPath : uri.toString(true)}.`),
    'Open',
  );
  if (choice !== undefined) await vscode.commands.executeCommand('vscode.open', uri);
}

const tellNone = (name: string): Thenable<unknown> =>
  vscode.window.showInformationMessage(plainMessage(`${name} has no artifacts.`));

async function tellAll(result: {
  folder: vscode.Uri;
  saved: readonly string[];
  failed: readonly string[];
}): Promise<void> {
  const { folder, saved, failed } = result;
  const where = `${count(saved.length, 'artifact')} saved in ${folder.fsPath}`;
  if (failed.length > 0)
    await vscode.window.showWarningMessage(plainMessage(`${where}. Not saved: ${formatList(failed, 5)}.`));
  else await vscode.window.showInformationMessage(plainMessage(`${where}.`));
}
