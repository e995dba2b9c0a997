/** The launch form's questions about where: cluster and namespace. */
import { plain } from '../ide/plain-text.ts';
import type { Answer, Choice, Questions } from '../ide/questions.ts';
import { checkNamespace } from './input-checks.ts';
import { answered, then } from './launch-draft.ts';
import type { Ask, Draft, LaunchOffers } from './launch-draft.ts';

export class WhereQuestions {
  readonly #questions: Questions;
  readonly #offers: LaunchOffers;

  constructor(questions: Questions, offers: LaunchOffers) {
    this.#questions = questions;
    this.#offers = offers;
  }

  readonly cluster: Ask = async (draft, place) => {
    const clusters = draft.clusters ?? (await this.#offers.clusters());
    const suggested = draft.answers.cluster ?? draft.last.cluster ?? clusters[0];
    const answer = await this.#questions.pick({
      ...place,
      placeholder: 'In which cluster?',
      choices: clusters.map((name) => ({ label: plain(name), value: name })),
      active: (name) => name === suggested,
    });
    return then(answer, (cluster) => answered(draft, { cluster }));
  };

  /** Asked again where one may not launch, with the reason. */
  readonly namespace: Ask = async (draft, place) => {
    const reply = await this.#namespace(draft, place);
    if (reply.go !== 'next') return reply;
    const { cluster = '', namespace = '' } = reply.state.answers;
    const refusal = await this.#offers.refusal(cluster, namespace);
    if (refusal === undefined) return reply;
    return await this.namespace({ ...draft, refused: refusal }, place);
  };

  readonly #namespace: Ask = async (draft, place) => {
    const cluster = draft.answers.cluster ?? '';
    const other = Symbol('other');
    const suggested =
      draft.answers.namespace ?? (draft.last.cluster === cluster ? draft.last.namespace : undefined);
    let offered: string | undefined;
    const choices = async (): Promise<Choice<string | typeof other>[]> => {
      const found = await this.#offers.namespaces(cluster);
      offered = found.suggested;
      return [
        ...found.names.map((name) => ({ label: name, value: name })),
        {
          label: '$(edit) Another namespace…',
          value: other,
          ...(found.incomplete ? { description: 'you may not list them all' } : {}),
        },
      ];
    };
    const answer = await this.#questions.pick<string | typeof other>({
      ...place,
      placeholder: draft.refused ?? `In which namespace of ${plain(cluster)}?`,
      choices: choices(),
      active: (name) => name === (suggested ?? offered),
    });
    if (answer.go !== 'next' || answer.value !== other)
      return then(answer as Answer<string>, (namespace) => chosen(draft, namespace));
    const typed = await this.#questions.input({
      ...place,
      canGoBack: true,
      prompt: 'Name of the namespace',
      value: suggested ?? '',
      check: checkNamespace,
    });
    if (typed.go === 'back') return await this.#namespace(draft, place);
    return then(typed, (namespace) => chosen(draft, namespace));
  };
}

function chosen(draft: Draft, namespace: string): Draft {
  const next = answered(draft, { namespace });
  delete next.refused;
  return next;
}
