/** The launch form's question about the RuntimeClass, where the namespace's policy leaves a choice; where not, the reason. */
import { plain } from '../ide/plain-text.ts';
import type { Choice, Questions } from '../ide/questions.ts';
import type { LaunchLimits } from './launch-answers.ts';
import { answered, then } from './launch-draft.ts';
import type { Ask, Draft } from './launch-draft.ts';

export class RuntimeQuestions {
  readonly #questions: Questions;

  constructor(questions: Questions) {
    this.#questions = questions;
  }

  readonly runtime: Ask = async (draft, place) => {
    const { standard, others } = draft.policy?.runtimes ?? { standard: undefined, others: [] };
    const named = others.filter((name) => !isGlob(name));
    const globs = others.filter(isGlob);
    const other = Symbol('other');
    const before = draft.answers.limits?.runtimeClassName;
    const choices: Choice<string | typeof other | undefined>[] = [
      { label: "The namespace's default", value: undefined, description: runtimeName(standard) },
      ...named.map((name) => ({ label: plain(name), value: name })),
    ];
    if (globs.length > 0)
      choices.push({
        label: '$(edit) Another RuntimeClass…',
        value: other,
        description: plain(globs.join(', ')),
      });
    const answer = await this.#questions.pick({
      ...place,
      placeholder: 'In which runtime?',
      choices,
      active: (value) => value === (before === undefined || named.includes(before) ? before : other),
    });
    if (answer.go !== 'next') return answer;
    if (answer.value !== other) return { go: 'next', state: chosen(draft, answer.value) };
    const typed = await this.#questions.input({
      ...place,
      canGoBack: true,
      prompt: `Name of the RuntimeClass; the policy allows ${plain(others.join(', '))}`,
      value: before ?? '',
      check: (text) =>
        text.trim() === '' ? 'Give the name of a RuntimeClass.' : draft.policy?.refusesRuntime(text.trim()),
    });
    if (typed.go === 'back') return await this.runtime(draft, place);
    return then(typed, (text) => chosen(draft, text.trim()));
  };
}

export const mayChooseRuntime = ({ policy }: Draft): boolean => (policy?.runtimes?.others.length ?? 0) > 0;

/** Why there is nothing to choose; undefined where there is, or where the policy is not known. */
export function runtimeFixed({ policy }: Draft): string | undefined {
  const { runtimes } = policy ?? {};
  if (runtimes === undefined || runtimes.others.length > 0) return undefined;
  return `The policy of the namespace leaves no choice of runtime: ${runtimeName(runtimes.standard)}`;
}

const runtimeName = (name: string | undefined): string =>
  name === undefined ? "the nodes' own" : plain(name);

const isGlob = (name: string): boolean => name.includes('*');

function chosen(draft: Draft, runtimeClassName: string | undefined): Draft {
  const limits: LaunchLimits = { ...draft.answers.limits };
  if (runtimeClassName === undefined) delete limits.runtimeClassName;
  else limits.runtimeClassName = runtimeClassName;
  return answered(draft, { limits });
}
