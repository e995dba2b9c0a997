/** A temporary git repository whose changes become patches, and a second copy of its first state to apply them to. */
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { lstat, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parsePatch } from '../../../../../extension/artifacts/patch/parse.ts';
import { checkLinks, checkPaths } from '../../../../../extension/artifacts/patch/paths.ts';
import { planPatch } from '../../../../../extension/artifacts/patch/plan.ts';
import type { PatchPlan } from '../../../../../extension/artifacts/patch/plan.ts';

/** As the runner makes changes.patch. */
export const RUNNER_DIFF = ['diff', '--cached', '--binary', '--full-index', '--no-renames', '--no-color'];

export class Repository {
  readonly root = mkdtempSync(join(tmpdir(), 'ambient-patch-'));
  readonly changed = join(this.root, 'changed');
  readonly target = join(this.root, 'target');

  constructor(files: Readonly<Record<string, string | Buffer>>) {
    for (const folder of [this.changed, this.target]) {
      mkdirSync(folder);
      for (const [path, content] of Object.entries(files)) put(folder, path, content);
    }
    this.git('init', '-q');
    this.git('add', '-A');
    this.git('commit', '-q', '--allow-empty', '-m', 'first');
  }

  git(...args: string[]): Buffer {
    const settings = [
      'core.autocrlf=false',
      'core.quotePath=true',
      'user.name=T',
      'user.email=t@example.com',
    ];
    return execFileSync('git', [...settings.flatMap((each) => ['-c', each]), ...args], {
      cwd: this.changed,
      env: { PATH: process.env['PATH'], HOME: this.root, GIT_CONFIG_NOSYSTEM: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 1 << 28,
    });
  }

  /** Writes, or deletes with undefined, in the copy that the patch will be made of. */
  change(path: string, content: string | Buffer | undefined): this {
    if (content === undefined) rmSync(join(this.changed, path));
    else put(this.changed, path, content);
    return this;
  }

  /** What a person did meanwhile in the copy that the patch will be applied to. */
  edit(path: string, content: string | Buffer | undefined): this {
    if (content === undefined) rmSync(join(this.target, path));
    else put(this.target, path, content);
    return this;
  }

  diff(...args: string[]): Buffer {
    this.git('add', '-A');
    return this.git(...(args.length > 0 ? args : RUNNER_DIFF));
  }

  /** As a review does it. Throws for unsafe patches. */
  async plan(patch: Buffer): Promise<PatchPlan> {
    const files = parsePatch(patch);
    checkPaths(files, false);
    await checkLinks(files, async (path) => {
      const info = await lstat(join(this.target, path)).catch(() => undefined);
      return info === undefined
        ? undefined
        : info.isSymbolicLink()
          ? 'link'
          : info.isFile()
            ? 'file'
            : 'folder';
    });
    return planPatch(files, {
      read: (path) =>
        readFile(join(this.target, path)).catch((error: NodeJS.ErrnoException) => {
          if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
          throw error;
        }),
      isUnsaved: () => false,
      isExecutable: async (path) => ((await stat(join(this.target, path))).mode & 0o100) !== 0,
    });
  }

  /** Plans and does it, plainly. */
  async apply(patch: Buffer): Promise<PatchPlan> {
    const plan = await this.plan(patch);
    for (const { path, after } of plan.changes) if (after === undefined) rmSync(join(this.target, path));
    for (const { path, after } of plan.changes) if (after !== undefined) put(this.target, path, after);
    return plan;
  }

  /** Contents of every file below a copy, one character a byte. */
  files(folder: string): Record<string, string> {
    const found: Record<string, string> = {};
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (path.startsWith(join(folder, '.git'))) continue;
      if (lstatSync(path).isFile()) found[path.slice(folder.length + 1)] = readFileSync(path, 'latin1');
    }
    return found;
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

function put(folder: string, path: string, content: string | Buffer): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
}
