/**
 * Which files "this folder as it is now" means.
 *
 * In a git repository: what is tracked and what is new but not ignored, as it stands on disk; submodules and
 * repositories inside likewise. Elsewhere: the same rules as git would apply (.gitignore files count), and never
 * node_modules. Without git: everything but .git and node_modules.
 */
import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { git, GitFailed, gitLine, GitMissing } from './git.ts';
import type { GitOptions } from './git.ts';

export interface SourceFiles {
  /** Relative to the folder, `/` between segments; files and symbolic links, sorted. */
  paths: string[];
  /** The folder is the top of a repository, whose history may come along. */
  isRepository: boolean;
  warnings: string[];
}

const LIST = ['ls-files', '--cached', '--others', '--exclude-standard', '-z'];
const NEVER = new Set(['.git', 'node_modules']);

export async function listSourceFiles(options: GitOptions): Promise<SourceFiles> {
  const warnings: string[] = [];
  const paths = new Set<string>();
  try {
    const top = await gitLine(['rev-parse', '--show-cdup'], options);
    if (top !== undefined) await listRepository(options, '', paths, warnings);
    // A folder that the repository around it ignores has nothing to list there, but has files.
    if (top === undefined || (top !== '' && paths.size === 0)) await listOutsideGit(options, paths, warnings);
    if (top === undefined) warnings.push(...(await refusal(options)));
    return {
      paths: [...paths].sort(),
      isRepository: top === '',
      warnings: [...warnings, ...hintAtParent(top)],
    };
  } catch (error) {
    if (!(error instanceof GitMissing)) throw error;
    warnings.push('git is not installed here, so .gitignore is not honoured and there is no history.');
    await walk(options, '', paths, warnings);
    return { paths: [...paths].sort(), isRepository: false, warnings };
  }
}

/** Why git does not take a folder with .git in it for a repository: an owner it does not trust, say. */
async function refusal(options: GitOptions): Promise<string[]> {
  if (!(await isThere(join(options.folder, '.git')))) return [];
  try {
    await git(['rev-parse'], options);
    return [];
  } catch (error) {
    if (!(error instanceof GitFailed)) throw error;
    return [`The history is not sent: ${error.message}`];
  }
}

const hintAtParent = (top: string | undefined): string[] =>
  top === undefined || top === ''
    ? []
    : ['The folder is a part of a larger repository: only the folder is sent, without its history.'];

async function listRepository(
  options: GitOptions,
  prefix: string,
  paths: Set<string>,
  warnings: string[],
): Promise<void> {
  const listed = await git(LIST, { ...options, folder: join(options.folder, prefix) });
  await collect(listed, options, prefix, paths, warnings);
}

/** An empty repository elsewhere, with the folder as its working tree, lets git apply its own rules to any folder. */
async function listOutsideGit(options: GitOptions, paths: Set<string>, warnings: string[]): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'ambient-listing-'));
  try {
    await git(['init', '--quiet', '--bare', scratch], options);
    const listed = await git(
      [`--git-dir=${scratch}`, `--work-tree=${options.folder}`, ...LIST, '--exclude=node_modules/'],
      options,
    );
    await collect(listed, options, '', paths, warnings);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function collect(
  listed: Buffer,
  options: GitOptions,
  prefix: string,
  paths: Set<string>,
  warnings: string[],
): Promise<void> {
  for (const name of split(listed, warnings)) {
    const path = posix.join(prefix, name);
    // A trailing slash is a repository inside that is no submodule; a submodule is listed like a file but is a folder.
    if (!name.endsWith('/') && !(await isFolder(join(options.folder, path)))) {
      paths.add(path);
      continue;
    }
    const inside = path.replace(/\/$/, '');
    try {
      const top = await gitLine(['rev-parse', '--show-cdup'], {
        ...options,
        folder: join(options.folder, inside),
      });
      // A submodule that was never checked out is an empty folder, where git would answer for the repository around it.
      if (top === '') await listRepository(options, inside, paths, warnings);
    } catch (error) {
      if (!(error instanceof GitFailed)) throw error;
      warnings.push(`${inside} was left out: ${error.message}`);
    }
  }
}

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

const isFolder = async (path: string): Promise<boolean> => {
  try {
    return (await lstat(path)).isDirectory();
  } catch {
    // Deleted but still tracked, or gone since: the packing leaves it out.
    return false;
  }
};

function split(listed: Buffer, warnings: string[]): string[] {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const names: string[] = [];
  for (let start = 0; start < listed.length;) {
    const zero = listed.indexOf(0, start);
    const end = zero < 0 ? listed.length : zero;
    const bytes = listed.subarray(start, end);
    start = end + 1;
    try {
      names.push(decoder.decode(bytes));
    } catch {
      warnings.push(`A file was left out because its name is not UTF-8: ${bytes.toString('latin1')}`);
    }
  }
  return names;
}

async function walk(
  { folder, signal }: GitOptions,
  prefix: string,
  paths: Set<string>,
  warnings: string[],
): Promise<void> {
  const folders = [prefix];
  for (let path = folders.shift(); path !== undefined; path = folders.shift()) {
    signal.throwIfAborted();
    for (const entry of await readdir(join(folder, path), { withFileTypes: true })) {
      if (NEVER.has(entry.name)) continue;
      const inside = posix.join(path, entry.name);
      if (entry.isDirectory()) folders.push(inside);
      else if (entry.isFile() || entry.isSymbolicLink()) paths.add(inside);
      else warnings.push(`${inside} was left out: neither a file nor a link.`);
    }
  }
}
