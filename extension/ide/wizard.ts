/** Several questions one after the other, with a way back: the order of questions follows from the answers so far. Pure. */

/** Thrown, or rather returned as undefined by `runWizard`, when the person closes a question. */
export type Reply<S> = { go: 'next'; state: S } | { go: 'back' } | { go: 'cancel' };

export interface Place {
  /** From 1. */
  step: number;
  /** As far as is known at this point; more may follow from the answer. */
  total: number;
  canGoBack: boolean;
}

export interface Step<S> {
  /** Unique in one wizard. */
  id: string;
  ask(state: S, place: Place): Promise<Reply<S>>;
}

/**
 * Asks until no step is left; undefined when cancelled. `stepsOf` gives all steps that apply, in order, for the answers
 * so far: answering may add or remove later ones. Going back from the first question cancels. `from: 'last'` begins
 * with the last step, for those who come back from what followed the wizard.
 */
export async function runWizard<S>(
  stepsOf: (state: S) => readonly Step<S>[],
  initial: S,
  from: 'first' | 'last' = 'first',
): Promise<S | undefined> {
  let state = initial;
  let steps = stepsOf(state);
  let current = from === 'first' ? steps[0] : steps.at(-1);
  while (current !== undefined) {
    const asked = current;
    const index = steps.findIndex(({ id }) => id === asked.id);
    const reply = await asked.ask(state, { step: index + 1, total: steps.length, canGoBack: index > 0 });
    if (reply.go === 'cancel') return undefined;
    if (reply.go === 'back') {
      if (index <= 0) return undefined;
      current = steps[index - 1];
      continue;
    }
    state = reply.state;
    steps = stepsOf(state);
    current = steps[steps.findIndex(({ id }) => id === asked.id) + 1];
  }
  return state;
}
