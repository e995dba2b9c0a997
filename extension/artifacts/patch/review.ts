/** A patch of a session: looked at as one diff of several files, applied to a folder, or refused with the reason. */
import * as vscode from 'vscode';
import { AmbientError } from '../../../common/errors.ts';
import { count, formatList } from '../../../common/rules/wording.ts';
import type { Notify } from '../../ide/notify.ts';
import { plain, plainMessage } from '../../ide/plain-text.ts';
import type { ArtifactPlace } from '../artifact-uri.ts';
import type { LiveArtifacts } from '../live.ts';
import { readArtifact } from '../reading.ts';
import { applyChanges } from './apply.ts';
import { EditorFolder } from './folder-content.ts';
import type { ApplyOptions } from './options.ts';
import { choosePieces } from './choose-pieces.ts';
import { parsePatch } from './parse.ts';
import type { FilePatch } from './parse.ts';
import type { PatchedDocuments } from './patched-documents.ts';
import { checkLinks, checkPaths } from './paths.ts';
import { planPatch } from './plan.ts';
import type { PatchPlan, PatchProblem } from './plan.ts';

export interface PatchDeps {
  live: LiveArtifacts;
  patched: PatchedDocuments;
  notify: Pick<Notify, 'background'>;
}

export interface ApplyResult {
  /** nothing: all was there already, or nothing fits. conflicts: something does not fit, so nothing was applied. */
  outcome: 'applied' | 'nothing' | 'conflicts' | 'cancelled';
  applied: string[];
  already: string[];
  problems: PatchProblem[];
}

const APPLY = 'Apply';
const APPLY_REST = 'Apply the Rest';
const REVIEW = 'Review';

/** Shows what the patch would change in a folder of the workspace. Throws for patches that are damaged or unsafe. */
export async function reviewPatch(deps: PatchDeps, place: ArtifactPlace): Promise<void> {
  const folder = await pickFolder();
  if (folder === 'none') return await withoutFolder(deps, place);
  if (folder === undefined) return;
  const plan = await planFor(deps.live, place, folder);
  if (plan === undefined) return;
  if (plan.changes.length === 0) {
    deps.notify.background('telling about a patch', tellNothing(plan, place));
    return;
  }
  const content = new EditorFolder(folder);
  const review = { title: titleOf(place, plan), place, folder };
  // Under the path of the file itself, since other paths are shown as a rename.
  const after = new Map(
    plan.changes.flatMap(({ path, after }) => (after === undefined ? [] : [[content.uri(path).path, after]])),
  );
  const patched = deps.patched.add(review, after);
  const files = plan.changes.map(({ path, before }) => [
    content.uri(path),
    before === undefined ? undefined : content.uri(path),
    patched.get(content.uri(path).path),
  ]);
  await vscode.commands.executeCommand('vscode.changes', review.title, files);
  deps.notify.background('offering to apply a patch', offerToApply(place, folder, plan));
}

/** Throws for patches that are damaged or unsafe, and when the editor refuses. */
export async function applyPatch(
  { live, patched, notify }: PatchDeps,
  place: ArtifactPlace,
  options: ApplyOptions,
): Promise<ApplyResult> {
  const isQuiet = options.confirm === false;
  const folder = options.folder ?? (await pickFolder());
  if (folder === undefined) return { outcome: 'cancelled', applied: [], already: [], problems: [] };
  if (folder === 'none')
    throw new AmbientError('invalid_request', 'no folder is open that the changes could be applied to');
  const plan = await planFor(live, place, folder, options.pick === true ? choosePieces : undefined);
  if (plan === undefined) return { outcome: 'cancelled', applied: [], already: [], problems: [] };
  const { changes, already, problems } = plan;
  const result = { applied: [], already, problems };
  if (changes.length === 0) {
    if (!isQuiet) notify.background('telling about a patch', tellNothing(plan, place));
    return { ...result, outcome: problems.length > 0 ? 'conflicts' : 'nothing' };
  }
  if (isQuiet && problems.length > 0 && options.rest !== true) return { ...result, outcome: 'conflicts' };
  const isSeen = options.reviewed === true || options.pick === true;
  if (!isQuiet && (problems.length > 0 || !isSeen)) {
    const choice = await ask(place, folder, plan, isSeen);
    if (choice === REVIEW) await vscode.commands.executeCommand('ambient.reviewPatch', place.ref, place.path);
    if (choice !== APPLY && choice !== APPLY_REST) return { ...result, outcome: 'cancelled' };
  }
  const { paths, unsaved, lasting } = await applyChanges(new EditorFolder(folder), changes, savesFiles());
  await patched.closeFor(place);
  if (!isQuiet) {
    const notes = [
      `Applied to ${count(paths.length, 'file')} in ${folderName(folder)}.`,
      ...(unsaved.length === 0 ? [] : [`Not saved yet: ${formatList(unsaved, 5)}.`]),
      ...(lasting.length === 0 ? [] : [`Undo does not bring back: ${formatList(lasting, 5)}.`]),
    ];
    const text = notes.join(' ');
    notify.background('telling what was applied', vscode.window.showInformationMessage(plainMessage(text)));
  }
  return { ...result, outcome: 'applied', applied: paths };
}

/** Undefined when the person was asked what of it to take, and took nothing. */
async function planFor(
  live: LiveArtifacts,
  place: ArtifactPlace,
  folder: vscode.Uri,
  choose?: (files: readonly FilePatch[]) => Promise<FilePatch[] | undefined>,
): Promise<PatchPlan | undefined> {
  const { bytes } = await readArtifact(live, place.ref, place.path);
  const files = parsePatch(bytes);
  if (files.length === 0 && bytes.length > 0)
    throw new AmbientError('invalid_request', `${plain(place.path)} holds no changes that could be read`);
  checkPaths(files, process.platform === 'win32');
  const content = new EditorFolder(folder);
  await checkLinks(files, content.kindAt);
  const wanted = choose === undefined ? files : await choose(files);
  return wanted === undefined ? undefined : await planPatch(wanted, content);
}

async function offerToApply(place: ArtifactPlace, folder: vscode.Uri, plan: PatchPlan): Promise<void> {
  const summary = `${count(plan.changes.length, 'file')} would change in ${folderName(folder)}.`;
  const problems = plan.problems.length === 0 ? '' : ` ${problemsText(plan.problems)}`;
  const choice = await vscode.window.showInformationMessage(plainMessage(summary + problems), APPLY);
  if (choice === undefined) return;
  const options: ApplyOptions = { folder, reviewed: true };
  await vscode.commands.executeCommand('ambient.applyPatch', place.ref, place.path, options);
}

async function ask(
  place: ArtifactPlace,
  folder: vscode.Uri,
  { changes, problems }: PatchPlan,
  isReviewed: boolean,
): Promise<string | undefined> {
  const others = isReviewed ? [] : [REVIEW];
  const files = changes.map(({ path, before, after }) =>
    before === undefined ? `${path} (new)` : after === undefined ? `${path} (deleted)` : path,
  );
  const detail = [
    ...(problems.length === 0 ? [] : ['Does not fit:', ...problemLines(problems), '']),
    problems.length === 0 ? 'Would change:' : 'The rest would change:',
    ...listed(files),
  ].join('\n');
  const name = plain(place.path.slice(place.path.lastIndexOf('/') + 1), 80);
  if (problems.length === 0) {
    const question = `Apply ${name} to ${folderName(folder)}? ${count(changes.length, 'file')} would change.`;
    return await vscode.window.showInformationMessage(question, { modal: true, detail }, APPLY, ...others);
  }
  const question = `${name} does not fit ${folderName(folder)} as it is. Nothing has been changed.`;
  return await vscode.window.showWarningMessage(question, { modal: true, detail }, APPLY_REST, ...others);
}

async function tellNothing({ already, problems }: PatchPlan, { path }: ArtifactPlace): Promise<void> {
  if (problems.length > 0)
    await vscode.window.showWarningMessage(`Nothing of ${plain(path, 80)} can be applied here.`, {
      modal: true,
      detail: problemLines(problems).join('\n'),
    });
  else if (already.length > 0)
    await vscode.window.showInformationMessage(
      plainMessage(`Nothing to change: ${count(already.length, 'file')} already as ${path} would have it.`),
    );
  else await vscode.window.showInformationMessage(plainMessage(`${path} holds no changes.`));
}

/** A patch can be read without a folder, but not compared. */
async function withoutFolder({ notify }: PatchDeps, { ref, path }: ArtifactPlace): Promise<void> {
  await vscode.commands.executeCommand('ambient.openArtifactAsText', ref, path);
  const offer = vscode.window
    .showInformationMessage(
      'Open the folder that these changes are for, to compare and apply them.',
      'Open Folder…',
    )
    .then((choice) => choice && vscode.commands.executeCommand('vscode.openFolder'));
  notify.background('offering to open a folder', offer);
}

async function pickFolder(): Promise<vscode.Uri | 'none' | undefined> {
  const folders = vscode.workspace.workspaceFolders ?? [];
  if (folders.length === 0) return 'none';
  if (folders.length === 1) return folders[0]?.uri;
  const placeHolder = 'Folder that the changes are for';
  return (await vscode.window.showWorkspaceFolderPick({ placeHolder }))?.uri;
}

function folderName(folder: vscode.Uri): string {
  const known = vscode.workspace.workspaceFolders?.find(({ uri }) => uri.toString() === folder.toString());
  return plain(known?.name ?? folder.path.slice(folder.path.lastIndexOf('/') + 1), 80);
}

const titleOf = ({ ref, path }: ArtifactPlace, { problems }: PatchPlan): string =>
  `${plain(path.slice(path.lastIndexOf('/') + 1), 80)} of ${ref.name}${
    problems.length === 0 ? '' : ` (${problems.length} not fitting)`
  }`;

const problemsText = (problems: readonly PatchProblem[]): string =>
  `Not fitting: ${formatList(
    problems.map(({ path, what }) => `${path} ${what}`),
    5,
  )}.`;

const problemLines = (problems: readonly PatchProblem[]): string[] =>
  listed(problems.map(({ path, what }) => `${path}: ${what}`));

/** Lines of a dialog, which does not scroll everywhere. */
function listed(lines: readonly string[], max = 20): string[] {
  const shown = lines.slice(0, max).map((line) => `• ${plain(line)}`);
  return lines.length > max ? [...shown, `… and ${lines.length - max} more`] : shown;
}

const savesFiles = (): boolean => vscode.workspace.getConfiguration('ambient').get('patch.saveFiles', true);
