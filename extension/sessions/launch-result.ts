/** The launch form's questions about what becomes of the changes, where the namespace's policy lists branches to push them to. */
import { BRANCH_MAX } from '../../common/api/session.ts';
import type { SessionResult } from '../../common/api/session.ts';
import { plain } from '../ide/plain-text.ts';
import type { Questions } from '../ide/questions.ts';
import { checkSecretName } from './input-checks.ts';
import { isPushable } from './launch-answers.ts';
import { answered, then } from './launch-draft.ts';
import type { Ask, Draft } from './launch-draft.ts';

const BRANCH_FIELD = 'spec.result.branch';

export class ResultQuestions {
  readonly #questions: Questions;

  constructor(questions: Questions) {
    this.#questions = questions;
  }

  readonly result: Ask = async (draft, place) => {
    const last = resultOfLast(draft);
    const why = noPullRequest(draft);
    const answer = await this.#questions.pick<'keep' | 'last' | 'push'>({
      ...place,
      placeholder: 'What becomes of the changes?',
      choices: [
        { label: 'Keep them as an artifact', value: 'keep', description: 'changes.patch' },
        ...(last === undefined
          ? []
          : [{ label: 'Same as last time', value: 'last' as const, description: plain(resultText(last)) }]),
        {
          label: 'Push them to a new branch…',
          value: 'push',
          ...(why === undefined
            ? { description: 'and perhaps open a pull request' }
            : { detail: plain(why, 400) }),
        },
      ],
      active: (value) => value === (draft.result ?? (last === undefined ? 'keep' : 'last')),
    });
    return then(answer, (choice) => {
      const { result, ...others } = draft.answers;
      const next: Draft = { ...draft, answers: others, result: choice };
      if (choice === 'keep') return next;
      if (choice === 'last' && last !== undefined) return answered(next, { result: last });
      return answered(next, { result: fitting(result ?? last ?? {}, draft) });
    });
  };

  readonly branch: Ask = async (draft, place) => {
    const isDefaultListed = refusal(draft, {}, BRANCH_FIELD) === undefined;
    const standard = isDefaultListed ? '; empty for ambient/NAME, with the name of the session' : '';
    const listed = draft.policy?.results?.branches ?? [];
    const answer = await this.#questions.input({
      ...place,
      prompt: `Name of the new branch${standard}. The policy lists ${plain(listed.join(', '))}`,
      value: draft.answers.result?.branch ?? '',
      check: (text) => checkBranch(draft, text.trim()),
    });
    return then(answer, (text) => {
      const { branch: _, ...others } = draft.answers.result ?? {};
      return answered(draft, {
        result: { ...others, ...(text.trim() === '' ? {} : { branch: text.trim() }) },
      });
    });
  };

  /** Asked where the source has none that could be taken. */
  readonly credentials: Ask = async (draft, place) => {
    const answer = await this.#questions.input({
      ...place,
      prompt: 'Secret of the namespace with the credentials to push; neither agent nor operator sees it',
      value: draft.answers.result?.credentials ?? '',
      placeholder: 'git-push',
      check: (text) =>
        text.trim() === ''
          ? 'It is needed to push: give the name of a Secret.'
          : checkSecretName(text.trim()),
    });
    return then(answer, (text) =>
      answered(draft, { result: { ...draft.answers.result, credentials: text.trim() } }),
    );
  };

  readonly pullRequest: Ask = async (draft, place) => {
    const before = draft.answers.result?.pullRequest;
    const answer = await this.#questions.pick<SessionResult['pullRequest']>({
      ...place,
      placeholder: 'Open a pull request for the branch?',
      choices: [
        { label: 'No pull request', value: undefined },
        { label: 'Pull request', value: {}, description: 'ready for review' },
        { label: 'Draft pull request', value: { draft: true } },
      ],
      active: (value) => (value === undefined) === (before === undefined) && value?.draft === before?.draft,
    });
    return then(answer, (pullRequest) => {
      const { pullRequest: _, ...others } = draft.answers.result ?? {};
      return answered(draft, {
        result: { ...others, ...(pullRequest === undefined ? {} : { pullRequest }) },
      });
    });
  };
}

/** Whether there is a choice: the source can be pushed to, and the policy lists branches. */
export const mayPush = ({ answers, policy }: Draft): boolean =>
  isPushable(answers.source) && (policy?.results?.branches.length ?? 0) > 0;

/** What can become of the changes of a repository, or why nothing but an artifact; undefined where the policy could not be read. */
export function pushingFrom({ policy }: Draft): string | undefined {
  if (policy === undefined) return undefined;
  const { results } = policy;
  if (results === undefined)
    return 'You may not see whether the policy lets changes be pushed: spec.result in the YAML asks for it';
  return results.branches.length === 0
    ? 'The policy of the namespace lets no changes be pushed'
    : 'Over http(s), its changes can be pushed to a new branch';
}

/** Why no pull request can be opened; undefined where one can. */
export function noPullRequest(draft: Draft): string | undefined {
  return draft.policy?.results?.pullRequests === true
    ? refusal(draft, { pullRequest: {} }, 'spec.results.pullRequests')
    : 'The policy of the namespace lets no pull request be opened';
}

/** Without a result that has no place any more, as another source was chosen afterwards, say. */
export function withoutLostResult(draft: Draft): Draft {
  if (mayPush(draft)) return draft;
  const { result: _, ...answers } = draft.answers;
  return { ...draft, answers };
}

/** Credentials are a Secret of one namespace, and its policy has the branches. */
function resultOfLast(draft: Draft): SessionResult | undefined {
  const { last, answers } = draft;
  const { result } = last;
  const isThere = last.cluster === answers.cluster && last.namespace === answers.namespace;
  return result !== undefined && isThere && refusal(draft, result, 'spec.result') === undefined
    ? result
    : undefined;
}

/** Without what is not going to be asked. */
function fitting(result: SessionResult, draft: Draft): SessionResult {
  const { credentials, pullRequest, ...others } = result;
  return {
    ...others,
    ...(credentials === undefined || hasCredentials(draft) ? {} : { credentials }),
    ...(pullRequest === undefined || noPullRequest(draft) !== undefined ? {} : { pullRequest }),
  };
}

export const hasCredentials = ({ answers: { source } }: Draft): boolean =>
  source?.type === 'git' && source.credentials !== undefined;

function checkBranch(draft: Draft, branch: string): string | undefined {
  if (branch.length > BRANCH_MAX) return `At most ${BRANCH_MAX} characters; this has ${branch.length}.`;
  return refusal(draft, branch === '' ? {} : { branch }, BRANCH_FIELD);
}

/** What the policy says to a result, of what is about this field or rule. */
function refusal({ policy, answers }: Draft, result: SessionResult, about: string): string | undefined {
  const { source } = answers;
  if (source?.type !== 'git') return undefined;
  const { type: _, ...git } = source;
  return policy?.refusesResult(git, result, about);
}

function resultText({ branch, credentials, pullRequest }: SessionResult): string {
  return [
    branch ?? 'ambient/NAME',
    credentials === undefined ? '' : `Secret ${credentials}`,
    pullRequest === undefined ? '' : `${pullRequest.draft === true ? 'draft ' : ''}pull request`,
  ]
    .filter(Boolean)
    .join(', ');
}
