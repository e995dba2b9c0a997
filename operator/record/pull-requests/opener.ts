/**
 * Opens pull requests on GitHub for branches that sessions have made, with the tenant's own token, in the background. One that is
 * there already counts: https://docs.github.com/rest/pulls/pulls#create-a-pull-request
 */
import type { PullRequestAccess } from '../../../common/api/namespace-policy.ts';
import { OPERATOR_ACTOR } from '../../../common/api/names.ts';
import type { Session } from '../../../common/api/session.ts';
import { messageOf } from '../../../common/errors.ts';
import { shorten } from '../../../common/rules/conditions.ts';
import { GITHUB_API, titleOf } from '../../../common/rules/results.ts';
import type { Repository } from '../../../common/rules/results.ts';
import { oneLine } from '../../../common/rules/wording.ts';
import type { AuditTrail } from '../audit.ts';
import { Background } from '../background.ts';
import type { Waiting } from '../background.ts';
import type { SecretReference } from '../notifications/placeholders.ts';
import { judge, Poster } from '../notifications/poster.ts';
import type { Answered, PosterOptions } from '../notifications/poster.ts';

export interface PullRequestsOptions extends PosterOptions {
  /** Throws SecretProblem, and what the API server's absence throws. */
  read: (namespace: string, reference: SecretReference) => Promise<Buffer>;
  audit: AuditTrail;
  elapsed: () => number;
  now: () => number;
  signal: AbortSignal;
}

/** All that a request for one is made of. */
export interface Wanted {
  access: PullRequestAccess;
  repository: Repository;
  branch: string;
  base: string;
}

type Opened =
  | { state: 'opened'; url: string }
  /** To be tried again. */
  | { state: 'failed'; problem: string }
  /** Trying again would change nothing. */
  | { state: 'refused'; problem: string };
export type Opening = Opened | Waiting;

const ANSWER_BYTES = 512 * 1024;
const URL_MAX = 2048;
const SAID_MAX = 500;
const EXISTS = /already exists/i;

export class PullRequests {
  readonly #options: PullRequestsOptions;
  readonly #poster: Poster;
  readonly #background: Background<Opened>;

  constructor(options: PullRequestsOptions) {
    this.#options = options;
    this.#poster = new Poster({ ...options, answerBytes: ANSWER_BYTES });
    this.#background = new Background(options);
  }

  /** Begins, or says how it stands. */
  open(session: Session, wanted: Wanted): Opening {
    return this.#background.of(session.metadata.uid ?? '', async () => {
      try {
        return await this.#open(session, wanted);
      } catch (error) {
        return { state: 'failed', problem: messageOf(error) };
      }
    });
  }

  async #open(session: Session, { access, repository, branch, base }: Wanted): Promise<Opened> {
    const { read, audit, signal } = this.#options;
    const { namespace = '', name, uid } = session.metadata;
    const { owner, name: repo } = repository;
    const pulls = `${(access.url ?? GITHUB_API).replace(/\/+$/, '')}/repos/${owner}/${repo}/pulls`;
    const url = this.#poster.urlOf(pulls);
    if (!(url instanceof URL)) return fromAttempt(url);
    const { secretName, key } = access.credential;
    const token = (await read(namespace, { name: secretName, key })).toString('utf8').trim();
    if (!/^[\x21-\x7e]+$/.test(token))
      return { state: 'failed', problem: `Secret ${secretName} holds nothing that can be a token` };
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json; charset=utf-8',
      'user-agent': 'ambient-operator',
      accept: 'application/vnd.github+json',
      'x-github-api-version': '2022-11-28',
    };
    await audit.record({
      namespace,
      sessionId: name,
      ...(uid === undefined ? {} : { sessionUid: uid }),
      actor: OPERATOR_ACTOR,
      action: 'create',
      resource: 'pullrequests',
      outcome: 'allowed',
      details: { repository: `${owner}/${repo}`, branch, base },
    });
    const body = JSON.stringify(requestOf(session, branch, base));
    const posted = await this.#poster.post(url, headers, body, signal);
    if (posted.kind === 'attempt') return fromAttempt(posted.attempt);
    if (posted.status === 422 && EXISTS.test(posted.said)) {
      const there = new URL(url);
      there.search = new URLSearchParams({ state: 'all', head: `${owner}:${branch}` }).toString();
      const found = await this.#poster.get(there, headers, signal);
      return found.kind === 'attempt' ? fromAttempt(found.attempt) : this.#judged(found);
    }
    return this.#judged(posted);
  }

  #judged(answered: Answered): Opened {
    const attempt = judge(answered, this.#options.now());
    if (attempt.outcome === 'delivered') {
      const url = pageOf(answered.said);
      return url === undefined
        ? { state: 'failed', problem: 'it answered with something that is no pull request' }
        : { state: 'opened', url };
    }
    const said = saidBy(answered.said);
    const problem = said === '' ? attempt.reason : `${attempt.reason}: ${said}`;
    // Not processable: a base that is not there, nothing between the two, no drafts in this repository.
    return { state: answered.status === 422 ? 'refused' : 'failed', problem };
  }
}

const fromAttempt = (attempt: { outcome: string; reason?: string }): Opened => ({
  state: attempt.outcome === 'refused' ? 'refused' : 'failed',
  problem: attempt.reason ?? '',
});

/** Facts, and the title that whoever launched it gave; nothing that an agent wrote goes out with the tenant's token. */
function requestOf(session: Session, branch: string, base: string): object {
  const { metadata, spec } = session;
  const { namespace = '', name, uid = '' } = metadata;
  const { title, draft = false } = spec.result?.pullRequest ?? {};
  const by = spec.createdBy === undefined ? '' : `, launched by \`${oneLine(spec.createdBy.user)}\``;
  return {
    title: title === undefined ? titleOf(session) : oneLine(title),
    head: branch,
    base,
    draft,
    body: `Changes of session \`${name}\` in namespace \`${namespace}\`${by}.\n\n<!-- ambient:${uid} -->`,
  };
}

/** Of the one that was made, or of the first that was found. */
function pageOf(said: string): string | undefined {
  const parsed = parse(said);
  const one: unknown = Array.isArray(parsed) ? parsed[0] : parsed;
  const url = (one as { html_url?: unknown } | null | undefined)?.html_url;
  if (typeof url !== 'string' || url.length > URL_MAX || !URL.canParse(url)) return undefined;
  return /^https?:$/.test(new URL(url).protocol) ? url : undefined;
}

function saidBy(said: string): string {
  const { message, errors } = (parse(said) ?? {}) as { message?: unknown; errors?: unknown };
  const more = Array.isArray(errors)
    ? errors.flatMap((error: { message?: unknown } | null) => error?.message ?? [])
    : [];
  const words = [message, ...more].filter((word) => typeof word === 'string');
  return shorten(oneLine(words.join(': ')), SAID_MAX);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
