/** The source from a git server: a shallow clone where that is possible, a full one where not. */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { git, lastLines, runGit } from '../git-process.ts';
import type { GitOptions } from '../git-process.ts';
import { pause } from '../retry.ts';
import { SourceError } from './source-error.ts';

/** Enough history for a look back; the command can fetch more. */
const DEPTH = 50;
const ATTEMPTS = 3;
const BETWEEN_MS = 2_000;

export interface GitSource {
  url: string;
  /** Branch, tag or commit; the default branch when absent. */
  ref?: string;
}

const COMMIT = /^[0-9a-f]{7,64}$/;
/** Passing states of a network that has just come up, or of a busy server. */
const PASSING =
  /could not resolve host|temporary failure|connection (refused|reset|timed out)|timed out|early eof|unexpected disconnect|the requested url returned error: (429|5\d\d)|no route to host|network is unreachable/i;
const NOT_SHALLOW = /shallow|dumb http/i;
/** An abbreviated commit, or a server that gives only what it advertises. */
const NO_SUCH_COMMIT = /couldn't find remote ref|not our ref|unadvertised object/i;

/** Clones into the (empty) workspace. Throws SourceError with git's last lines. */
export async function cloneGit(source: GitSource, options: GitOptions): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    let failure = await shallow(source, options);
    if (failure !== undefined && fullMayWork(source, failure)) {
      await empty(options.cwd);
      failure = await full(source, options);
    }
    if (failure === undefined) return;
    if (attempt === ATTEMPTS || !PASSING.test(failure)) throw new SourceError(explain(source, failure));
    await empty(options.cwd);
    await pause(BETWEEN_MS * attempt, options.signal);
  }
}

const fullMayWork = ({ ref }: GitSource, failure: string): boolean =>
  NOT_SHALLOW.test(failure) || (ref !== undefined && COMMIT.test(ref) && NO_SUCH_COMMIT.test(failure));

/** What git said when it failed. */
async function shallow({ url, ref }: GitSource, options: GitOptions): Promise<string | undefined> {
  // clone takes branches and tags only
  if (ref !== undefined && (COMMIT.test(ref) || ref.startsWith('refs/')))
    return (
      (await attempt(['init', '--template=', '--quiet', '.'], options)) ??
      (await attempt(['remote', 'add', 'origin', url], options)) ??
      (await fetchAndCheckOut(ref, ['--depth', String(DEPTH)], options))
    );
  const branch = ref === undefined ? [] : ['--branch', ref];
  const depth = ['--depth', String(DEPTH), '--single-branch'];
  return attempt(['clone', '--template=', ...depth, ...branch, '--', url, '.'], options);
}

async function full({ url, ref }: GitSource, options: GitOptions): Promise<string | undefined> {
  const cloned = await attempt(['clone', '--template=', '--no-checkout', '--', url, '.'], options);
  if (cloned !== undefined) return cloned;
  const checkedOut = await attempt(
    ['checkout', '--quiet', ...(ref === undefined ? [] : [ref]), '--'],
    options,
  );
  return checkedOut !== undefined && ref?.startsWith('refs/')
    ? fetchAndCheckOut(ref, [], options)
    : checkedOut;
}

async function fetchAndCheckOut(
  ref: string,
  depth: string[],
  options: GitOptions,
): Promise<string | undefined> {
  return (
    (await attempt(['fetch', '--quiet', ...depth, '--no-tags', 'origin', ref], options)) ??
    (await attempt(['checkout', '--quiet', '--detach', 'FETCH_HEAD'], options))
  );
}

async function attempt(args: readonly string[], options: GitOptions): Promise<string | undefined> {
  const { code, stderr } = await runGit(args, options);
  return code === 0 ? undefined : stderr || `git ${args[0] ?? ''} ended with exit code ${code}`;
}

/** A failed clone leaves nothing behind for the next attempt. */
async function empty(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
}

function explain({ url, ref }: GitSource, stderr: string): string {
  const what = ref === undefined ? url : `${url} at ${ref}`;
  return `cannot clone ${what.replace(/\/\/[^/@\s]+@/, '//***@')}: ${lastLines(stderr)}`;
}

/** The commit that was checked out; undefined when there is none. */
export async function headOf(options: GitOptions): Promise<string | undefined> {
  try {
    return (await git(['rev-parse', '--verify', 'HEAD'], options)).toString('utf8').trim();
  } catch {
    return undefined;
  }
}
