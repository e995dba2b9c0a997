/**
 * Where the changes of a session go: `spec.result`. Branches are new ones alone, so that nothing of anybody else can be lost, and
 * such as the policy of the namespace lists.
 */
import type { PullRequestAccess } from '../api/namespace-policy.ts';
import type { Session, SessionSpec } from '../api/session.ts';
import type { EffectivePolicy } from './policy/effective.ts';
import { shorten } from './conditions.ts';
import { coversGlob, matchesAny } from './policy/glob.ts';
import type { Facts } from './policy/violation.ts';
import { oneLine } from './wording.ts';

const PREFIX = 'ambient/';
const TITLE_MAX = 100;
/** The API of GitHub itself. */
export const GITHUB_API = 'https://api.github.com';
/** File systems hold no longer names; git needs some of it for its locks. */
const COMPONENT_BYTES_MAX = 240;

/** What is wrong with the name of a branch, by the rules of git-check-ref-format; undefined: nothing. */
export function branchMistake(name: string): string | undefined {
  if (name === '') return 'it is empty';
  if (/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(name)) return 'it has a control or invisible character';
  if (/[\s~^:?*[\\]/.test(name)) return 'it has a space or one of ~ ^ : ? * [ \\';
  if (name.startsWith('-')) return 'it begins with -';
  if (/^refs(\/|$)/.test(name)) return 'it begins with refs/; name the branch alone';
  if (name === 'HEAD' || name === '@') return 'git means something else by it';
  if (name.includes('..') || name.includes('@{')) return 'it has .. or @{ in it';
  if (name.endsWith('.')) return 'it ends with .';
  // Servers refuse it, as it could be taken for a commit.
  if (/^[0-9a-f]{40}$|^[0-9a-f]{64}$/i.test(name)) return 'it looks like a commit';
  for (const part of name.split('/')) {
    if (part === '') return 'it begins or ends with /, or has // in it';
    if (part.startsWith('.')) return 'a part of it begins with .';
    if (part.toLowerCase().endsWith('.lock')) return 'a part of it ends with .lock';
    if (new TextEncoder().encode(part).length > COMPONENT_BYTES_MAX) return 'a part of it is too long';
  }
  return undefined;
}

/** The branch of a session that names none. */
export const defaultBranch = (session: string): string => PREFIX + session.replaceAll('.', '-');

/** Of the commit and the pull request; one that a stranger wrote does not go out in the tenant's name. */
export function titleOf({ metadata, spec }: Pick<Session, 'metadata' | 'spec'>): string {
  const isOutside = spec.trigger?.outside?.some(({ field }) => field === 'spec.displayName') === true;
  const { displayName } = spec;
  return displayName === undefined || isOutside
    ? `Changes of session ${metadata.name}`
    : shorten(oneLine(displayName), TITLE_MAX);
}

/**
 * The branches to try, in order; empty: its policy allows none. The second is for when the first is there already and holds
 * something else.
 */
export function resultBranches(
  { metadata, spec }: Pick<Session, 'metadata' | 'spec'>,
  { results }: Pick<EffectivePolicy, 'results'>,
): string[] {
  if (spec.result === undefined) return [];
  const first = spec.result.branch ?? defaultBranch(metadata.name);
  const second = `${first}-${(metadata.uid ?? '').slice(0, 8)}`;
  return matchesAny(results.branches, first)
    ? [first, second].filter((branch) => matchesAny(results.branches, branch))
    : [];
}

/** Everything that keeps a session from having its result pushed, whether it is the session's own fault or its namespace's rule. */
export function resultBreaches(
  { source, result }: SessionSpec,
  { results }: Pick<EffectivePolicy, 'results'>,
): Facts[] {
  if (result === undefined) return [];
  const { git } = source ?? {};
  const own = (field: string, value: string, allowed: string, because: string): Facts => ({
    rule: field,
    field,
    value,
    allowed: [allowed],
    because,
    whose: 'the session itself',
  });
  if (source?.type !== 'git' || git === undefined)
    return [own('spec.source.type', source?.type ?? 'none', 'git', 'it has no repository to push to')];
  const found: Facts[] = [];
  if (!/^https?:\/\//.test(git.url))
    found.push(own('spec.source.git.url', git.url, 'https://…', 'it cannot be pushed to'));
  if ((result.credentials ?? git.credentials) === undefined)
    found.push(own('spec.result.credentials', '', 'the name of a Secret', 'it is needed to push'));
  found.push(...branchBreaches(result.branch, git.ref, results.branches, own));
  return [...found, ...pullRequestBreaches(result.pullRequest, git.url, results.pullRequests, own)];
}

type Own = (field: string, value: string, allowed: string, because: string) => Facts;

function branchBreaches(
  branch: string | undefined,
  cloned: string | undefined,
  allowed: readonly string[],
  own: Own,
): Facts[] {
  const field = 'spec.result.branch';
  const mistake = branch === undefined ? undefined : branchMistake(branch);
  if (branch !== undefined && mistake !== undefined)
    return [own(field, branch, 'the name of a new branch', `it cannot be a branch, as ${mistake}`)];
  if (branch !== undefined && [branch, `refs/heads/${branch}`].includes(cloned ?? ''))
    return [own(field, branch, 'the name of a new branch', 'it is the branch that is cloned')];
  // That of the session's name is not known here: any name may follow.
  const wanted = branch ?? `${PREFIX}*`;
  return allowed.some((glob) => coversGlob(glob, wanted))
    ? []
    : [{ rule: 'spec.results.branches', field, value: wanted, allowed, because: 'does not list it' }];
}

function pullRequestBreaches(
  pullRequest: NonNullable<SessionSpec['result']>['pullRequest'],
  url: string,
  access: PullRequestAccess | undefined,
  own: Own,
): Facts[] {
  if (pullRequest === undefined) return [];
  const { base } = pullRequest;
  const field = 'spec.result.pullRequest';
  const mistake = base === undefined ? undefined : branchMistake(base);
  if (base !== undefined && mistake !== undefined)
    return [own(`${field}.base`, base, 'the name of a branch', `it cannot be a branch, as ${mistake}`)];
  const rule = 'spec.results.pullRequests';
  if (access === undefined)
    return [{ rule, field, value: 'set', allowed: ['no value'], because: 'is not set' }];
  if (repositoryOf(url, access.url) === undefined)
    return [
      {
        rule: `${rule}.url`,
        field: 'spec.source.git.url',
        value: url,
        allowed: [`https://${serverOf(access.url ?? GITHUB_API) ?? ''}/OWNER/NAME`],
        because: 'is the API of another server',
      },
    ];
  return [];
}

export interface Repository {
  owner: string;
  name: string;
}

/** What a clone URL is to the API of its server; undefined where it is a repository of another one. */
export function repositoryOf(url: string, api: string = GITHUB_API): Repository | undefined {
  if (!URL.canParse(url) || serverOf(api) !== new URL(url).host) return undefined;
  const [, owner, name] =
    /^\/([A-Za-z0-9][A-Za-z0-9._-]*)\/([A-Za-z0-9._-]+?)(?:\.git)?\/?$/.exec(new URL(url).pathname) ?? [];
  return owner === undefined || name === undefined || /^\.+$/.test(name) ? undefined : { owner, name };
}

/** From whose API is asked to whom is cloned: api.github.com is github.com's, HOST/api/v3 is HOST's. */
function serverOf(api: string): string | undefined {
  if (!URL.canParse(api)) return undefined;
  const { host, pathname } = new URL(api);
  return pathname.replace(/\/+$/, '') === '' ? host.replace(/^api\./, '') : host;
}
