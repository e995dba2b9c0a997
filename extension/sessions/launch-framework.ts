/** The launch form's questions about what to do: framework, version, and the fields of its configuration. */
import type { Framework } from '../../common/api/framework.ts';
import { plain } from '../ide/plain-text.ts';
import type { Choice, Questions } from '../ide/questions.ts';
import type { Place, Reply } from '../ide/wizard.ts';
import { fieldsOf, parseField, textOf } from './config-form.ts';
import type { Field } from './config-form.ts';
import { checkFrameworkName } from './input-checks.ts';
import { answered, then } from './launch-draft.ts';
import type { Ask, Draft, LaunchOffers } from './launch-draft.ts';
import type { LaunchPolicy } from './policy-check.ts';

export class FrameworkQuestions {
  readonly #questions: Questions;
  readonly #offers: LaunchOffers;

  constructor(questions: Questions, offers: LaunchOffers) {
    this.#questions = questions;
    this.#offers = offers;
  }

  readonly framework: Ask = async (draft, place) => {
    const cluster = draft.answers.cluster ?? '';
    const frameworks = this.#offers.frameworks(cluster);
    const policy = await this.#offers.policy(cluster, draft.answers.namespace ?? '');
    const suggested = draft.answers.framework ?? draft.last.framework;
    const found = await frameworks;
    if (found.length === 0) return await this.#frameworkByName(withPolicy(draft, policy), place, suggested);
    const refused = ({ metadata }: Framework): string | undefined => policy?.refusesFramework(metadata.name);
    const chosen = found.find(({ metadata }) => metadata.name === draft.answers.framework);
    const answer = await this.#questions.pick({
      ...place,
      placeholder: (chosen && refused(chosen)) ?? 'Which framework runs the session?',
      choices: found.map((framework) => frameworkChoice(framework, refused(framework) !== undefined)),
      active: ({ metadata }) => metadata.name === suggested,
    });
    // Asked again, with what the policy says to it.
    if (answer.go === 'next' && refused(answer.value) !== undefined)
      return await this.framework(answered(draft, { framework: answer.value.metadata.name }), place);
    return then(answer, (framework) => {
      const name = framework.metadata.name;
      const { last, answers } = draft;
      const config = answers.framework === name ? answers.config : last.framework === name ? last.config : {};
      const next = answered(draft, { framework: name, config: knownConfig(framework, config ?? {}) });
      delete next.answers.version;
      delete next.optional;
      return { ...withPolicy(next, policy), chosen: framework };
    });
  };

  async #frameworkByName(
    draft: Draft,
    place: Place & { title: string },
    suggested: string | undefined,
  ): Promise<Reply<Draft>> {
    const answer = await this.#questions.input({
      ...place,
      prompt: 'Name of the framework (this cluster lists none)',
      value: suggested ?? 'generic',
      check: checkFrameworkName,
    });
    return then(answer, (framework) => answered(draft, { framework, config: draft.answers.config ?? {} }));
  }

  readonly version: Ask = async (draft, place) => {
    const versions = draft.chosen?.spec.versions ?? [];
    const answer = await this.#questions.pick({
      ...place,
      placeholder: 'Which version?',
      choices: versions.map(({ name, image, deprecated }, index) => ({
        label: plain(name),
        value: name,
        description: [index === 0 ? 'default' : '', deprecated === undefined ? '' : 'deprecated']
          .filter(Boolean)
          .join(', '),
        detail: plain(deprecated ?? image),
      })),
      active: (name) => name === draft.answers.version,
    });
    return then(answer, (version) => answered(draft, { version }));
  };

  field(field: Field): Ask {
    return async (draft, place) => {
      const config = draft.answers.config ?? {};
      const value = config[field.name] ?? field.default;
      const done = (given: unknown): Draft => {
        const next = { ...config };
        if (given === undefined) delete next[field.name];
        else next[field.name] = given;
        return answered(draft, { config: next });
      };
      const question = field.description ?? field.title;
      if (field.kind === 'choice' || field.kind === 'boolean') {
        const values = field.kind === 'boolean' ? [true, false] : (field.choices ?? []);
        const refused = (each: unknown): string | undefined => draft.policy?.refuses({ [field.name]: each });
        const problem = refused(config[field.name]);
        const answer = await this.#questions.pick({
          ...place,
          placeholder: problem ?? (question === field.title ? question : `${field.title}: ${question}`),
          choices: [
            ...values.map((each) => ({
              label: field.kind === 'boolean' ? (each === true ? 'Yes' : 'No') : plain(String(each)),
              value: each,
              ...describe(refused(each) !== undefined, each === field.default),
            })),
            ...(field.required ? [] : [{ label: 'Leave open', value: undefined }]),
          ],
          active: (each) => each === value,
        });
        // Asked again, with what the policy says to it.
        if (answer.go === 'next' && refused(answer.value) !== undefined)
          return await this.field(field)(done(answer.value), place);
        return then(answer, done);
      }
      const answer = await this.#questions.input({
        ...place,
        prompt: question === field.title ? question : `${field.title}: ${question}`,
        value: textOf(field, value),
        ...(field.kind === 'text' ? { multiline: true } : {}),
        ...(field.kind === 'words'
          ? { placeholder: 'words separated by blanks; quotes keep them together' }
          : {}),
        check: (text) => {
          const parsed = parseField(field, text);
          return parsed.ok ? draft.policy?.refuses({ [field.name]: parsed.value }) : parsed.problem;
        },
      });
      return then(answer, (text) => {
        const parsed = parseField(field, text);
        return done(parsed.ok ? parsed.value : undefined);
      });
    };
  }

  optional(fields: readonly Field[]): Ask {
    return async (draft, place) => {
      const given = fields.filter(({ name }) => (draft.answers.config ?? {})[name] !== undefined);
      const answer = await this.#questions.pick<'defaults' | 'customise'>({
        ...place,
        placeholder: 'Further options of the framework',
        choices: [
          {
            label: given.length === 0 ? 'Use defaults' : 'Keep as last time',
            value: 'defaults',
            description: given
              .map((field) => `${field.title}: ${textOf(field, draft.answers.config?.[field.name])}`)
              .join(', '),
          },
          {
            label: 'Customise…',
            value: 'customise',
            description: fields.map(({ title }) => title).join(', '),
          },
        ],
        active: (value) => value === (draft.optional ?? 'defaults'),
      });
      return then(answer, (optional) => ({ ...draft, optional }));
    };
  }
}

function describe(isForbidden: boolean, isDefault: boolean): { description?: string } {
  const words = [isDefault ? 'default' : '', isForbidden ? 'not allowed by the policy' : ''].filter(Boolean);
  return words.length === 0 ? {} : { description: words.join(', ') };
}

function withPolicy(draft: Draft, policy: LaunchPolicy | undefined): Draft {
  const { policy: _, ...others } = draft;
  return policy === undefined ? others : { ...others, policy };
}

/** The required fields; without any, what frameworks call the task. */
export function mainFields(fields: readonly Field[]): Field[] {
  const required = fields.filter((field) => field.required);
  if (required.length > 0) return required;
  const task = fields.find(({ name }) =>
    ['prompt', 'command', 'task', 'script', 'instructions'].includes(name),
  );
  return task === undefined ? [] : [task];
}

function frameworkChoice(framework: Framework, isForbidden: boolean): Choice<Framework> {
  const { displayName, description, versions } = framework.spec;
  const [first] = versions;
  return {
    label: plain(displayName ?? framework.metadata.name),
    value: framework,
    description: [
      displayName === undefined ? '' : framework.metadata.name,
      plain(first?.name ?? ''),
      first?.deprecated === undefined ? '' : 'deprecated',
      isForbidden ? 'not allowed by the policy' : '',
    ]
      .filter(Boolean)
      .join(' '),
    ...(description === undefined ? {} : { detail: plain(description) }),
  };
}

/** Remembered values of fields that the framework still has. */
function knownConfig(framework: Framework, config: Record<string, unknown>): Record<string, unknown> {
  const names = new Set(fieldsOf(framework.spec.configSchema).map(({ name }) => name));
  return names.size === 0
    ? config
    : Object.fromEntries(Object.entries(config).filter(([name]) => names.has(name)));
}
