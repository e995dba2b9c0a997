/** The questions of "Ambient: Launch Session" in their order, without VS Code: what is asked follows from the answers. */
import { titleLine } from '../../common/rules/wording.ts';
import { plain } from '../ide/plain-text.ts';
import type { Questions } from '../ide/questions.ts';
import type { Step } from '../ide/wizard.ts';
import { fieldsOf, textOf } from './config-form.ts';
import { checkDisplayName } from './input-checks.ts';
import { isPushable } from './launch-answers.ts';
import { answered, LAUNCH_TITLE, then } from './launch-draft.ts';
import type { Ask, Draft, LaunchOffers } from './launch-draft.ts';
import { FrameworkQuestions, mainFields } from './launch-framework.ts';
import { LimitQuestions, talks } from './launch-limits.ts';
import {
  hasCredentials,
  mayPush,
  noPullRequest,
  ResultQuestions,
  withoutLostResult,
} from './launch-result.ts';
import { mayChooseRuntime, RuntimeQuestions } from './launch-runtime.ts';
import { SourceQuestions } from './launch-source.ts';
import { WhereQuestions } from './launch-where.ts';

/** Makes the steps that apply to a draft. */
export class LaunchSteps {
  readonly #questions: Questions;
  readonly #where: WhereQuestions;
  readonly #what: FrameworkQuestions;
  readonly #on: SourceQuestions;
  readonly #to: ResultQuestions;
  readonly #within: LimitQuestions;
  readonly #runtime: RuntimeQuestions;

  constructor(questions: Questions, offers: LaunchOffers) {
    this.#questions = questions;
    this.#where = new WhereQuestions(questions, offers);
    this.#what = new FrameworkQuestions(questions, offers);
    this.#on = new SourceQuestions(questions, offers);
    this.#to = new ResultQuestions(questions);
    this.#within = new LimitQuestions(questions);
    this.#runtime = new RuntimeQuestions(questions);
  }

  readonly of = (draft: Draft): Step<Draft>[] => {
    const steps: Step<Draft>[] = [];
    const add = (id: string, ask: Ask): void => {
      // The review that follows counts as a step too.
      steps.push({
        id,
        ask: (state, place) => ask(state, { ...place, total: place.total + 1, title: LAUNCH_TITLE }),
      });
    };
    const { fixed, clusters, chosen, answers } = draft;
    if (fixed.cluster !== true && clusters?.length !== 1) add('cluster', this.#where.cluster);
    if (fixed.namespace !== true) add('namespace', this.#where.namespace);
    add('framework', this.#what.framework);
    if ((chosen?.spec.versions.length ?? 0) > 1) add('version', this.#what.version);
    const fields = fieldsOf(chosen?.spec.configSchema);
    const main = mainFields(fields);
    const others = fields.filter((field) => !main.includes(field));
    for (const field of main) add(`config:${field.name}`, this.#what.field(field));
    if (others.length > 0) add('optional', this.#what.optional(others));
    if (draft.optional === 'customise')
      for (const field of others) add(`config:${field.name}`, this.#what.field(field));
    add('source', this.#on.source);
    if (answers.source?.type === 'git') {
      add('gitUrl', this.#on.gitUrl);
      add('gitRef', this.#on.gitRef);
      if (isPushable(answers.source)) add('gitCredentials', this.#on.gitCredentials);
    }
    if (mayPush(draft)) {
      add('result', this.#to.result);
      if (draft.result === 'push') {
        add('branch', this.#to.branch);
        if (!hasCredentials(draft)) add('credentials', this.#to.credentials);
        if (noPullRequest(draft) === undefined) add('pullRequest', this.#to.pullRequest);
      }
    }
    add('limits', this.#within.limits);
    if (draft.limits === 'customise') {
      add('timeout', this.#within.timeout);
      if (talks(chosen)) add('idle', this.#within.idle);
      add('memory', this.#within.quantity('memory', 'Memory limit of the pod', '2Gi'));
      add('cpu', this.#within.quantity('cpu', 'CPU limit of the pod', '500m'));
      if (draft.policy?.sessionBudget !== undefined) add('budget', this.#within.budget);
      if (mayChooseRuntime(draft)) add('runtime', this.#runtime.runtime);
    }
    add('displayName', this.#displayName);
    return steps;
  };

  readonly #displayName: Ask = async (draft, place) => {
    const answer = await this.#questions.input({
      ...place,
      prompt: 'Name to show to people',
      value: draft.answers.displayName ?? suggestedName(draft),
      placeholder: 'may be left empty',
      check: checkDisplayName,
    });
    return then(answer, (displayName) =>
      withoutLostResult(answered(draft, { displayName: displayName.trim() })),
    );
  };
}

/** From what the session is to do: the first words of it. */
function suggestedName(draft: Draft): string {
  const [field] = mainFields(fieldsOf(draft.chosen?.spec.configSchema));
  const value = field === undefined ? undefined : draft.answers.config?.[field.name];
  return field === undefined || value === undefined ? '' : plain(titleLine(textOf(field, value)), 60);
}
