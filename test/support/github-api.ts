/**
 * The part of GitHub's API that opens pull requests, with its checks and its words:
 * https://docs.github.com/rest/pulls/pulls#create-a-pull-request
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import Type from 'typebox';
import { Value } from 'typebox/value';

const BASE = '/api/v3';
const PATH = /^\/api\/v3\/repos\/([^/]+)\/([^/]+)\/pulls$/;
const NewPull = Type.Object({
  title: Type.String({ minLength: 1 }),
  head: Type.String({ minLength: 1 }),
  base: Type.String({ minLength: 1 }),
  body: Type.String(),
  draft: Type.Boolean(),
});
type Pull = Type.Static<typeof NewPull> & { repository: string; number: number };

export interface GithubApi {
  readonly token: string;
  readonly pulls: Pull[];
  /** Statuses of its answers, in order. */
  readonly answers: number[];
  /** False for what is not the API's. */
  handle: (request: IncomingMessage, response: ServerResponse) => boolean;
}

/** @param hasBranch whether a repository has it */
export function githubApi(hasBranch: (repository: string, branch: string) => boolean): GithubApi {
  const pulls: Pull[] = [];
  const answers: number[] = [];
  const token = 'a-token-of-the-team';
  const shown = ({ repository, number, ...rest }: Pull) => ({
    ...rest,
    number,
    html_url: `https://github.example.com/${repository}/pull/${number}`,
  });
  const failed = (message: string) => ({
    status: 422,
    body: { message: 'Validation Failed', errors: [{ resource: 'PullRequest', code: 'custom', message }] },
  });
  function answer(request: IncomingMessage, body: string): { status: number; body: unknown } {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://x');
    const [, owner = '', name = ''] = PATH.exec(pathname) ?? [];
    const repository = `${owner}/${name}`;
    const { authorization, accept } = request.headers;
    if (authorization !== `Bearer ${token}`) return { status: 401, body: { message: 'Bad credentials' } };
    if (name === '' || request.headers['user-agent'] === undefined)
      return { status: 404, body: { message: 'Not Found' } };
    if (accept !== 'application/vnd.github+json') return { status: 415, body: { message: 'Unsupported' } };
    if (request.method === 'GET') {
      const head = searchParams.get('head');
      const found = pulls.filter(
        (pull) => pull.repository === repository && head === `${owner}:${pull.head}`,
      );
      return { status: 200, body: found.map(shown) };
    }
    const asked: unknown = JSON.parse(body);
    if (!Value.Check(NewPull, asked)) return failed('Invalid request.');
    if (!hasBranch(repository, asked.head) || !hasBranch(repository, asked.base))
      return failed('field head or base is invalid');
    if (pulls.some((pull) => pull.repository === repository && pull.head === asked.head))
      return failed(`A pull request already exists for ${owner}:${asked.head}.`);
    const pull = { ...asked, repository, number: pulls.length + 1 };
    pulls.push(pull);
    return { status: 201, body: shown(pull) };
  }
  return {
    token,
    pulls,
    answers,
    handle(request, response) {
      if (request.url?.startsWith(`${BASE}/`) !== true) return false;
      text(request).then(
        (said) => {
          const { status, body } = answer(request, said);
          answers.push(status);
          response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
        },
        () => response.destroy(),
      );
      return true;
    },
  };
}
