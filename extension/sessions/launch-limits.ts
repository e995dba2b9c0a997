/** The launch form's questions about limits: time, memory, CPU, money. */
import type { Framework } from '../../common/api/framework.ts';
import { DEFAULT_IDLE_SECONDS, DEFAULT_TIMEOUT_SECONDS } from '../../common/api/session.ts';
import { formatDuration } from '../../common/rules/wording.ts';
import type { Questions } from '../ide/questions.ts';
import { checkBudget, checkQuantity, checkTimeout, parseSeconds } from './input-checks.ts';
import type { LaunchLimits } from './launch-answers.ts';
import { answered, then } from './launch-draft.ts';
import type { Ask, Draft } from './launch-draft.ts';
import { mayChooseRuntime, runtimeFixed } from './launch-runtime.ts';

export class LimitQuestions {
  readonly #questions: Questions;

  constructor(questions: Questions) {
    this.#questions = questions;
  }

  readonly limits: Ask = async (draft, place) => {
    const limits = fitting(draft.answers.limits ?? draft.last.limits, draft.chosen);
    const answer = await this.#questions.pick<'defaults' | 'last' | 'customise'>({
      ...place,
      placeholder: 'How long, and how much of the cluster?',
      choices: [
        { label: 'Use defaults', value: 'defaults', description: defaultsText(draft.chosen) },
        ...(limits === undefined
          ? []
          : [{ label: 'Same as last time', value: 'last' as const, description: limitsText(limits) }]),
        { label: 'Customise…', value: 'customise', ...customisable(draft) },
      ],
      active: (value) => value === (limits === undefined ? 'defaults' : 'last'),
    });
    return then(answer, (choice) => {
      const next: Draft = { ...draft, limits: choice === 'customise' ? 'customise' : 'defaults' };
      next.answers = { ...draft.answers };
      if (choice === 'defaults') delete next.answers.limits;
      else if (limits !== undefined) next.answers.limits = limits;
      return next;
    });
  };

  readonly timeout: Ask = async (draft, place) => {
    const limits = draft.answers.limits ?? {};
    const answer = await this.#questions.input({
      ...place,
      prompt: 'Time limit, such as 30m or 2h; empty for one hour',
      value: limits.timeoutSeconds === undefined ? '' : `${limits.timeoutSeconds}s`,
      check: checkTimeout,
    });
    return then(answer, (text) => {
      const seconds = parseSeconds(text);
      const next: LaunchLimits = { ...limits };
      if (text.trim() === '' || seconds === undefined) delete next.timeoutSeconds;
      else next.timeoutSeconds = seconds;
      return answered(draft, { limits: next });
    });
  };

  /** Asked where people can talk to the agent: an end that its work does not give it. */
  readonly idle: Ask = async (draft, place) => {
    const limits = draft.answers.limits ?? {};
    const answer = await this.#questions.input({
      ...place,
      prompt: `End when nobody has said anything for, such as 5m or 1h; empty for ${formatDuration(DEFAULT_IDLE_SECONDS * 1000)}`,
      value: limits.idleSeconds === undefined ? '' : `${limits.idleSeconds}s`,
      check: checkTimeout,
    });
    return then(answer, (text) => {
      const seconds = parseSeconds(text);
      const next: LaunchLimits = { ...limits };
      if (text.trim() === '' || seconds === undefined) delete next.idleSeconds;
      else next.idleSeconds = seconds;
      return answered(draft, { limits: next });
    });
  };

  /** Asked where the namespace has a budget to keep to. */
  readonly budget: Ask = async (draft, place) => {
    const limits = draft.answers.limits ?? {};
    const answer = await this.#questions.input({
      ...place,
      prompt: `Budget in USD, such as 2.50; empty for the default, ${draft.policy?.sessionBudget ?? 'none'}`,
      value: limits.budget ?? '',
      check: (text) => checkBudget(text) ?? draft.policy?.refusesBudget(text.trim()),
    });
    return then(answer, (text) => {
      const next: LaunchLimits = { ...limits };
      if (text.trim() === '') delete next.budget;
      else next.budget = text.trim();
      return answered(draft, { limits: next });
    });
  };

  quantity(which: 'memory' | 'cpu', prompt: string, example: string): Ask {
    return async (draft, place) => {
      const limits = draft.answers.limits ?? {};
      const standard = draft.chosen?.spec.resources?.[which];
      const answer = await this.#questions.input({
        ...place,
        prompt: `${prompt}, such as ${example}; empty for the default${standard === undefined ? '' : `, ${standard}`}`,
        value: limits[which] ?? '',
        check: checkQuantity(example),
      });
      return then(answer, (text) => {
        const next: LaunchLimits = { ...limits };
        if (text === '') delete next[which];
        else next[which] = text;
        return answered(draft, { limits: next });
      });
    };
  }
}

export const talks = (framework: Framework | undefined): boolean =>
  (framework?.spec.input ?? 'none') !== 'none';

/** Limits of the last launch, of another framework perhaps. */
function fitting(
  limits: LaunchLimits | undefined,
  framework: Framework | undefined,
): LaunchLimits | undefined {
  if (limits?.idleSeconds === undefined || talks(framework)) return limits;
  const { idleSeconds: _, ...others } = limits;
  return Object.keys(others).length === 0 ? undefined : others;
}

function customisable(draft: Draft): { description: string; detail?: string } {
  const description = [
    'time, memory, CPU',
    ...(draft.policy?.sessionBudget === undefined ? [] : ['budget']),
    ...(mayChooseRuntime(draft) ? ['runtime'] : []),
  ].join(', ');
  const detail = runtimeFixed(draft);
  return { description, ...(detail === undefined ? {} : { detail }) };
}

function defaultsText(framework: Framework | undefined): string {
  const { memory, cpu } = framework?.spec.resources ?? {};
  return limitsText({
    timeoutSeconds: DEFAULT_TIMEOUT_SECONDS,
    ...(talks(framework) ? { idleSeconds: DEFAULT_IDLE_SECONDS } : {}),
    ...(memory === undefined ? {} : { memory }),
    ...(cpu === undefined ? {} : { cpu }),
  });
}

const limitsText = (limits: LaunchLimits): string => {
  const { timeoutSeconds, idleSeconds, memory, cpu, budget, runtimeClassName } = limits;
  return [
    timeoutSeconds === undefined ? '' : formatDuration(timeoutSeconds * 1000),
    idleSeconds === undefined ? '' : `${formatDuration(idleSeconds * 1000)} of silence`,
    memory === undefined ? '' : `${memory} memory`,
    cpu === undefined ? '' : `${cpu} CPU`,
    budget === undefined ? '' : `$${budget}`,
    runtimeClassName ?? '',
  ]
    .filter(Boolean)
    .join(', ');
};
