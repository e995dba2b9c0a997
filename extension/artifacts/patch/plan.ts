/** What a patch would make of a folder, worked out in memory before anything is touched. */
import { messageOf } from '../../../common/errors.ts';
import { applyBinary, objectId } from './binary.ts';
import { applyHunks } from './hunks.ts';
import type { FilePatch } from './parse.ts';

export interface FileChange {
  path: string;
  /** Undefined: the file is not there. */
  before: Buffer | undefined;
  after: Buffer | undefined;
  /** Set when the patch changes it. */
  executable?: boolean;
}

export interface PatchProblem {
  path: string;
  /** Completes "path: …". */
  what: string;
}

export interface PatchPlan {
  /** What can be done, by path. Of a file with problems: the hunks that fit. */
  changes: FileChange[];
  problems: PatchProblem[];
  /** Files that are as the patch wants them. */
  already: string[];
}

export interface FolderContent {
  /** What the file holds, unsaved changes included; undefined when it is not there. Throws when it cannot be told. */
  read(path: string): Promise<Buffer | undefined>;
  /** Whether the editor holds changes that are not on disk. */
  isUnsaved(path: string): boolean;
  /** Undefined where there is no such permission. */
  isExecutable(path: string): Promise<boolean | undefined>;
}

interface State {
  original: Buffer | undefined;
  current: Buffer | undefined;
  executable?: boolean;
  /** As it is now; undefined where that means nothing. */
  wasExecutable?: boolean | undefined;
}

/** Expects paths that were checked. */
export async function planPatch(files: readonly FilePatch[], folder: FolderContent): Promise<PatchPlan> {
  const planner = new Planner(folder);
  for (const file of files) planner.note(file);
  for (const file of files) await planner.add(file);
  return planner.plan();
}

class Planner {
  readonly #folder: FolderContent;
  /** Sections later in the patch see what earlier ones did. */
  readonly #states = new Map<string, State>();
  readonly #impossible = new Map<string, string>();
  readonly #problems: PatchProblem[] = [];
  readonly #already = new Set<string>();

  constructor(folder: FolderContent) {
    this.#folder = folder;
  }

  /** A file that becomes a link is two sections, of which the first alone would delete it. */
  note(file: FilePatch): void {
    const what = impossible(file);
    if (what === undefined) return;
    for (const path of [file.oldPath, file.newPath]) this.#impossible.set(path, what);
  }

  async add(file: FilePatch): Promise<void> {
    const paths = [...new Set([file.oldPath, file.newPath])];
    const what = paths.map((path) => this.#impossible.get(path)).find((each) => each !== undefined);
    if (what !== undefined) return this.#problem(file.newPath, what);
    try {
      const [source, target] = [await this.#state(file.oldPath), await this.#state(file.newPath)];
      this.#apply(file, source, target);
    } catch (error) {
      this.#problem(file.newPath, messageOf(error));
    }
  }

  plan(): PatchPlan {
    const changes: FileChange[] = [];
    for (const [path, state] of this.#states) {
      const { original, current, wasExecutable } = state;
      const executable = state.executable === wasExecutable ? undefined : state.executable;
      const isSame = original === current || (original !== undefined && current?.equals(original) === true);
      if (isSame && (executable === undefined || current === undefined)) continue;
      changes.push({
        path,
        before: original,
        after: current,
        ...(executable === undefined ? {} : { executable }),
      });
    }
    changes.sort((a, b) => (a.path < b.path ? -1 : 1));
    const changed = new Set([...changes, ...this.#problems].map(({ path }) => path));
    const already = [...this.#already].filter((path) => !changed.has(path)).sort();
    return { changes, problems: this.#problems, already };
  }

  async #state(path: string): Promise<State> {
    const known = this.#states.get(path);
    if (known !== undefined) return known;
    const original = await this.#folder.read(path);
    const state: State = { original, current: original };
    if (original !== undefined) state.wasExecutable = await this.#folder.isExecutable(path);
    this.#states.set(path, state);
    return state;
  }

  #apply(file: FilePatch, source: State, target: State): void {
    const { oldPath, newPath, kind } = file;
    const isMove = kind === 'rename' || kind === 'copy';
    if (kind === 'add' || isMove) {
      if (kind !== 'add' && source.current === undefined) {
        if (kind === 'rename' && target.current !== undefined) return this.#done(newPath);
        return this.#problem(oldPath, 'is not there');
      }
      const after = this.#content(
        file,
        kind === 'add' ? Buffer.alloc(0) : (source.current ?? Buffer.alloc(0)),
      );
      if (after === undefined) return;
      if (kind === 'rename' && this.#isUnsaved(oldPath)) return;
      if (target.current !== undefined && !after.equals(target.current))
        return this.#problem(newPath, 'is there already, with other content');
      if (target.current !== undefined) this.#done(newPath);
      target.current = after;
      if (kind === 'rename') source.current = undefined;
      this.#mode(file, target);
      return;
    }
    if (source.current === undefined) {
      if (kind === 'delete') return this.#done(oldPath);
      return this.#problem(oldPath, 'is not there');
    }
    const after = this.#content(file, source.current);
    if (after === undefined) return;
    if (kind === 'delete') {
      if (after.length > 0) return this.#problem(oldPath, 'holds more than what the patch deletes');
      if (this.#isUnsaved(oldPath)) return;
      source.current = undefined;
      return;
    }
    if (after.equals(source.current) && (file.newMode === undefined || file.oldMode === file.newMode))
      this.#done(newPath);
    source.current = after;
    this.#mode(file, source);
  }

  /** What becomes of `before`; undefined after a problem that lets nothing of the file through. */
  #content(file: FilePatch, before: Buffer): Buffer | undefined {
    const { newPath, hunks, binary, oldId, newId } = file;
    if (binary !== undefined && binary !== 'missing') {
      if (newId !== undefined && newId !== '' && objectId(before, newId).startsWith(newId)) return before;
      const isKnown =
        file.kind === 'add' || (oldId !== undefined && objectId(before, oldId).startsWith(oldId));
      if (isKnown) return applyBinary(binary, before);
      this.#problem(newPath, 'is a binary file that was changed here');
      return undefined;
    }
    if (hunks.length === 0) return before;
    const result = applyHunks(before.toString('latin1'), hunks);
    if (result.isAlreadyThere && file.kind === 'change') return before;
    for (const index of result.failed) this.#problem(newPath, hunkProblem(file, index));
    // Half a deletion or half a new file helps nobody.
    if (result.failed.length > 0 && file.kind !== 'change') return undefined;
    return Buffer.from(result.text, 'latin1');
  }

  #mode({ oldMode, newMode, kind }: FilePatch, state: State): void {
    if (newMode === undefined || (kind !== 'add' && newMode === oldMode)) return;
    // Files are made without the permission: only its presence is worth a word.
    if (kind === 'add' && newMode !== '100755') return;
    state.executable = newMode === '100755';
  }

  #isUnsaved(path: string): boolean {
    if (!this.#folder.isUnsaved(path)) return false;
    this.#problem(path, 'would be deleted, but has unsaved changes');
    return true;
  }

  #done(path: string): void {
    this.#already.add(path);
  }

  #problem(path: string, what: string): void {
    if (!this.#problems.some((each) => each.path === path && each.what === what))
      this.#problems.push({ path, what });
  }
}

function hunkProblem({ hunks, kind }: FilePatch, index: number): string {
  if (kind === 'delete') return 'holds other content than what the patch deletes';
  const line = hunks[index]?.oldStart ?? 0;
  return `change ${index + 1} of ${hunks.length}, near line ${line}, does not fit`;
}

function impossible({ oldMode, newMode, binary }: FilePatch): string | undefined {
  const modes = [oldMode, newMode];
  if (modes.includes('120000')) return 'is a symbolic link, which has to be made by hand';
  if (modes.includes('160000')) return 'is a submodule, which has to be updated by git';
  if (binary === 'missing') return 'is a binary file whose content is not in the patch';
  return undefined;
}
