/**
 * The changes of a session as one commit on a new branch. It is made in a fresh repository of what the session began with; of what
 * the agent left there is the patch alone, and nothing in that is executed: no hook, no filter, no configuration. The commit depends
 * on the description only, so that a second attempt finds its own and knows it.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { PushDescription, PushReport } from '../../common/api/push.ts';
import { git, GitError, lastLines, runGit } from '../git-process.ts';
import type { GitOptions } from '../git-process.ts';

export interface Push extends Pick<PushDescription, 'source' | 'branches' | 'commit'> {
  /** Path of changes.patch. */
  patch: string;
}

type Failed = Extract<PushReport, { state: 'failed' | 'refused' }>;

/** Somebody else may make the same branch in the same moment. */
const ROUNDS = 3;
const LINES = 6;
const NO_SUCH_COMMIT = /not our ref|unadvertised object|couldn't find remote ref|no such remote ref/i;
const DENIED =
  /authentication failed|could not read (username|password)|terminal prompts disabled|returned error: 40[13]|permission to .* denied|repository .* not found|returned error: 404|access denied/i;
const UNREACHABLE =
  /could not resolve host|connection (refused|reset|timed out)|failed to connect|couldn't connect|timed out|early eof|unexpected disconnect|returned error: (429|5\d\d)|no route to host|network is unreachable|temporary failure/i;

/** Rejects when git is not there or the signal aborts. */
export async function pushBranch(push: Push, options: GitOptions): Promise<PushReport> {
  const { source, branches, patch } = push;
  if ((await stat(patch)).size === 0) return { state: 'unchanged' };
  try {
    await git(['init', '--template=', '--quiet', '.'], options);
    await git(['remote', 'add', 'origin', source.url], options);
    let refs = await refsOf(push, options);
    const base = baseOf(source.ref, refs);
    const gone = await fetchBase(source.commit, options);
    if (gone !== undefined) return gone;
    const made = await commitOf(push, options);
    if (typeof made !== 'string') return made;
    for (let round = 1; ; round++) {
      const found = branches.find((branch) => [undefined, made].includes(refs.ids.get(branch)));
      if (found === undefined) return exists(branches);
      const done: PushReport = {
        state: 'pushed',
        branch: found,
        commit: made,
        ...(base === undefined ? {} : { base }),
      };
      if (refs.ids.get(found) === made) return done;
      const failure = await create(found, made, options);
      if (failure === undefined) return done;
      if (failure !== 'taken') return failure;
      if (round === ROUNDS) return exists(branches);
      refs = await refsOf(push, options);
    }
  } catch (error) {
    if (error instanceof GitError) return judged(error.stderr || error.message);
    throw error;
  }
}

const exists = (branches: readonly string[]): Failed => ({
  state: 'refused',
  reason: 'BranchExists',
  message: `${branches.join(' and ')} ${branches.length > 1 ? 'are' : 'is'} there already, with other commits; nothing was changed`,
});

interface Refs {
  /** By branch. */
  ids: Map<string, string>;
  /** The default branch. */
  head: string | undefined;
}

const HEADS = 'refs/heads/';

async function refsOf({ source, branches }: Push, options: GitOptions): Promise<Refs> {
  const cloned = source.ref === undefined ? [] : [branchNamed(source.ref)];
  const asked = [...branches, ...cloned].map((branch) => HEADS + branch);
  const listing = await git(['ls-remote', '--symref', '--', source.url, 'HEAD', ...asked], options);
  const ids = new Map<string, string>();
  let head: string | undefined;
  for (const line of listing.toString('utf8').split('\n')) {
    const [what = '', name = ''] = line.split('\t');
    if (name === 'HEAD' && what.startsWith(`ref: ${HEADS}`)) head = what.slice(`ref: ${HEADS}`.length);
    else if (asked.includes(name)) ids.set(name.slice(HEADS.length), what);
  }
  return { ids, head };
}

const branchNamed = (ref: string): string => (ref.startsWith(HEADS) ? ref.slice(HEADS.length) : ref);

/** Of a session that began with a tag or a commit: the default branch. */
function baseOf(ref: string | undefined, { ids, head }: Refs): string | undefined {
  const branch = ref === undefined ? undefined : branchNamed(ref);
  return branch !== undefined && ids.has(branch) ? branch : head;
}

/** The one commit where the server gives it, else all branches. Undefined: it is there. */
async function fetchBase(commit: string, options: GitOptions): Promise<Failed | undefined> {
  const fetch = ['fetch', '--quiet', '--no-tags', '--no-recurse-submodules'];
  const one = await runGit([...fetch, '--depth', '1', 'origin', commit], options);
  if (one.code === 0) return undefined;
  if (!NO_SUCH_COMMIT.test(one.stderr)) return judged(one.stderr);
  await git([...fetch, 'origin', '+refs/heads/*:refs/remotes/origin/*'], options);
  const { code } = await runGit(['cat-file', '-e', `${commit}^{commit}`], options);
  return code === 0
    ? undefined
    : {
        state: 'refused',
        reason: 'BaseGone',
        message: `the server does not have commit ${commit.slice(0, 12)} any more, with which the session began`,
      };
}

/** The id of the commit, or why there is none. */
async function commitOf({ source, commit, patch }: Push, options: GitOptions): Promise<string | PushReport> {
  // As the agent was given it: the patch is against the files, not against what git keeps of them.
  await git(['checkout', '--quiet', '--detach', source.commit], options);
  const applied = await runGit(['apply', '--binary', '--whitespace=nowarn', '-'], {
    ...options,
    input: createReadStream(patch),
  });
  if (applied.code !== 0)
    return { state: 'refused', reason: 'DoesNotApply', message: lastLines(applied.stderr, LINES) };
  // All that the patch made, whatever it says is to be ignored.
  await git(['add', '--all', '--force', '--', '.'], options);
  const line = async (args: string[], more: Partial<GitOptions> = {}): Promise<string> =>
    (await git(args, { ...options, ...more })).toString('utf8').trim();
  const tree = await line(['write-tree']);
  if (tree === (await line(['rev-parse', `${source.commit}^{tree}`]))) return { state: 'unchanged' };
  const { author, at, message } = commit;
  return await line(['commit-tree', tree, '-p', source.commit, '-F', '-'], {
    input: Readable.from([message]),
    env: {
      ...options.env,
      GIT_AUTHOR_NAME: author.name,
      GIT_AUTHOR_EMAIL: author.email,
      GIT_AUTHOR_DATE: at,
      GIT_COMMITTER_NAME: author.name,
      GIT_COMMITTER_EMAIL: author.email,
      GIT_COMMITTER_DATE: at,
    },
  });
}

/** Undefined: it is there. An expectation of nothing is the opposite of force: what is there already is never moved. */
async function create(
  branch: string,
  commit: string,
  options: GitOptions,
): Promise<Failed | 'taken' | undefined> {
  const ref = HEADS + branch;
  const flags = ['--porcelain', '--no-verify', '--no-signed', '--no-follow-tags', '--recurse-submodules=no'];
  const { code, stdout, stderr } = await runGit(
    ['push', ...flags, `--force-with-lease=${ref}:`, 'origin', `${commit}:${ref}`],
    options,
  );
  if (code === 0) return undefined;
  const said = stdout.toString('utf8');
  // The second where somebody made it in the very same moment.
  if (/\[rejected\]|reference already exists/.test(said + stderr)) return 'taken';
  if (!said.includes('[remote rejected]')) return judged(stderr);
  const [, why = ''] = /\[remote rejected\] (.*)/.exec(said) ?? [];
  const rest = lastLines(stderr.replace(/^(error: failed to push.*|To .*)$/gm, ''), LINES);
  return {
    state: 'refused',
    reason: 'Rejected',
    message: `the server refused ${branch} ${why}${rest === '' ? '' : `: ${rest}`}`,
  };
}

function judged(stderr: string): Failed {
  const message = lastLines(stderr, LINES);
  // A server that cannot be asked just now says so with a status of its own.
  if (UNREACHABLE.test(stderr)) return { state: 'failed', reason: 'Unreachable', message };
  if (DENIED.test(stderr)) return { state: 'failed', reason: 'CredentialsRefused', message };
  return { state: 'failed', reason: 'PushFailed', message };
}
