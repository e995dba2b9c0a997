/** Step after the end: a pull request for the branch that was pushed, where session and policy want one. */
import { findCondition } from '../../../common/rules/conditions.ts';
import { repositoryOf } from '../../../common/rules/results.ts';
import type { Look, StepResult } from './step.ts';

/** The one reason that is not the end of it. */
const NOT_YET = 'NotOpened';
/** After so long it is left to people. */
const GIVEN_UP_MS = 86_400_000;

export function pullRequest({ session, draft, controller }: Look): StepResult {
  const { spec, status, metadata } = session;
  const wanted = spec.result?.pullRequest;
  const { branch, base: began, pullRequest: known } = status?.result ?? {};
  if (wanted === undefined || branch === undefined || known !== undefined) return 'done';
  const standing = findCondition(status?.conditions, 'PullRequestOpened');
  if (standing !== undefined && standing.reason !== NOT_YET) return 'done';
  const tell = (reason: string, message: string): void =>
    draft.condition({ type: 'PullRequestOpened', status: 'False', reason, message });
  const namespace = metadata.namespace ?? '';
  const access = controller.policies.of(namespace).results.pullRequests;
  const repository = repositoryOf(spec.source?.git?.url ?? '', access?.url);
  if (access === undefined || repository === undefined) {
    tell('NotAllowed', `The policy of namespace ${namespace} lets no pull request be opened there.`);
    return 'done';
  }
  const base = wanted.base ?? began;
  if (base === undefined) {
    tell('BaseUnknown', 'It is not known which branch the pull request is for. Name one in spec.result.');
    return 'done';
  }
  const opening = controller.pullRequests.open(session, { access, repository, branch, base });
  switch (opening.state) {
    case 'waiting':
      return { lookAgainMs: opening.againMs };
    case 'opened':
      draft.result({ pullRequest: opening.url });
      draft.condition({
        type: 'PullRequestOpened',
        status: 'True',
        reason: 'Opened',
        message: `${opening.url} for ${base}.`,
      });
      draft.record('PullRequestOpened', { url: opening.url });
      return 'done';
    case 'refused':
      tell('Refused', `${opening.problem}. The branch ${branch} is there.`);
      return 'done';
    case 'failed': {
      const isOver =
        controller.clock.now() - Date.parse(status?.workload?.completionTime ?? '') > GIVEN_UP_MS;
      tell(isOver ? 'GivenUp' : NOT_YET, `${opening.problem}.${isOver ? '' : ' It is tried again.'}`);
      // The write brings the next look.
      return { lookAgainMs: 1000 };
    }
  }
}
