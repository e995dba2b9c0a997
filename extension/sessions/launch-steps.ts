/** The questions of "Ambient: Launch Session" in their order, without VS Code: what is asked follows from the answers. */
import type { Framework } from '../../common/api/framework.ts';
import { formatDuration } from '../../common/rules/wording.ts';
import { plain } from '../ide/plain-text.ts';
import type { Answer, Choice, Questions } from '../ide/questions.ts';
import type { Place, Reply, Step } from '../ide/wizard.ts';
import { fieldsOf, parseField, textOf } from './config-form.ts';
import type { Field } from './config-form.ts';
import {
  checkDisplayName,
  checkFrameworkName,
  checkGitRef,
  checkGitUrl,
  checkNamespace,
  checkQuantity,
  checkTimeout,
  normaliseGitUrl,
  parseSeconds,
} from './input-checks.ts';
import type { LaunchAnswers, LaunchLimits, LaunchSource } from './launch-answers.ts';

export const LAUNCH_TITLE = 'Launch Session';

/** What the questions offer, from the kubeconfig, the cluster and the workspace. */
export interface LaunchOffers {
  /** Contexts to choose from; the first is suggested. */
  clusters(): Promise<string[]>;
  /** Undefined when listing is forbidden: then the name is typed in. */
  namespaces(cluster: string): Promise<{ names: string[]; incomplete: boolean; suggested?: string }>;
  /** Empty when none can be listed: then the name is typed in. */
  frameworks(cluster: string): Promise<Framework[]>;
  folders(): { name: string; path: string }[];
  /** Why folders cannot be taken, for the one who wonders where they are. */
  foldersRefused?: string;
  /** URL and branch of the repository in the workspace. */
  repository(): Promise<{ url?: string; ref?: string }>;
}

/** The answers so far, and what was found out on the way. */
export interface Draft {
  answers: Partial<LaunchAnswers>;
  /** Answers of the last launch: suggestions only. */
  last: Partial<LaunchAnswers>;
  /** Cluster and namespace are settled by where the launch was asked for. */
  fixed: { cluster?: boolean; namespace?: boolean };
  chosen?: Framework;
  clusters?: string[];
  optional?: 'defaults' | 'customise';
  limits?: 'defaults' | 'customise';
}

type Ask = (draft: Draft, place: Place & { title: string }) => Promise<Reply<Draft>>;

/** Makes the steps that apply to a draft. */
export class LaunchSteps {
  readonly #questions: Questions;
  readonly #offers: LaunchOffers;

  constructor(questions: Questions, offers: LaunchOffers) {
    this.#questions = questions;
    this.#offers = offers;
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
    if (fixed.cluster !== true && clusters?.length !== 1) add('cluster', this.#cluster);
    if (fixed.namespace !== true) add('namespace', this.#namespace);
    add('framework', this.#framework);
    if ((chosen?.spec.versions.length ?? 0) > 1) add('version', this.#version);
    const fields = fieldsOf(chosen?.spec.configSchema);
    const main = mainFields(fields);
    const others = fields.filter((field) => !main.includes(field));
    for (const field of main) add(`config:${field.name}`, this.#field(field));
    if (others.length > 0) add('optional', this.#optional(others));
    if (draft.optional === 'customise')
      for (const field of others) add(`config:${field.name}`, this.#field(field));
    add('source', this.#source);
    if (answers.source?.type === 'git') {
      add('gitUrl', this.#gitUrl);
      add('gitRef', this.#gitRef);
    }
    add('limits', this.#limits);
    if (draft.limits === 'customise') {
      add('timeout', this.#timeout);
      add('memory', this.#quantity('memory', 'Memory limit of the pod', '2Gi'));
      add('cpu', this.#quantity('cpu', 'CPU limit of the pod', '500m'));
    }
    add('displayName', this.#displayName);
    return steps;
  };

  readonly #cluster: Ask = async (draft, place) => {
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
      placeholder: `In which namespace of ${plain(cluster)}?`,
      choices: choices(),
      active: (name) => name === (suggested ?? offered),
    });
    if (answer.go !== 'next' || answer.value !== other)
      return then(answer as Answer<string>, (namespace) => answered(draft, { namespace }));
    const typed = await this.#questions.input({
      ...place,
      canGoBack: true,
      prompt: 'Name of the namespace',
      value: suggested ?? '',
      check: checkNamespace,
    });
    if (typed.go === 'back') return await this.#namespace(draft, place);
    return then(typed, (namespace) => answered(draft, { namespace }));
  };

  readonly #framework: Ask = async (draft, place) => {
    const cluster = draft.answers.cluster ?? '';
    const frameworks = this.#offers.frameworks(cluster);
    const suggested = draft.answers.framework ?? draft.last.framework;
    const found = await frameworks;
    if (found.length === 0) return await this.#frameworkByName(draft, place, suggested);
    const answer = await this.#questions.pick({
      ...place,
      placeholder: 'Which framework runs the session?',
      choices: found.map(frameworkChoice),
      active: ({ metadata }) => metadata.name === suggested,
    });
    return then(answer, (framework) => {
      const name = framework.metadata.name;
      const { last, answers } = draft;
      const config = answers.framework === name ? answers.config : last.framework === name ? last.config : {};
      const next = answered(draft, { framework: name, config: knownConfig(framework, config ?? {}) });
      delete next.answers.version;
      delete next.optional;
      return { ...next, chosen: framework };
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

  readonly #version: Ask = async (draft, place) => {
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

  #field(field: Field): Ask {
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
        const answer = await this.#questions.pick({
          ...place,
          placeholder: question === field.title ? question : `${field.title}: ${question}`,
          choices: [
            ...values.map((each) => ({
              label: field.kind === 'boolean' ? (each === true ? 'Yes' : 'No') : plain(String(each)),
              value: each,
              ...(each === field.default ? { description: 'default' } : {}),
            })),
            ...(field.required ? [] : [{ label: 'Leave open', value: undefined }]),
          ],
          active: (each) => each === value,
        });
        return then(answer, done);
      }
      const answer = await this.#questions.input({
        ...place,
        prompt: question === field.title ? question : `${field.title}: ${question}`,
        value: textOf(field, value),
        ...(field.kind === 'words'
          ? { placeholder: 'words separated by blanks; quotes keep them together' }
          : {}),
        check: (text) => {
          const parsed = parseField(field, text);
          return parsed.ok ? undefined : parsed.problem;
        },
      });
      return then(answer, (text) => {
        const parsed = parseField(field, text);
        return done(parsed.ok ? parsed.value : undefined);
      });
    };
  }

  #optional(fields: readonly Field[]): Ask {
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

  readonly #source: Ask = async (draft, place) => {
    const folders = this.#offers.folders();
    const before = draft.answers.source ?? draft.last.source;
    const git: LaunchSource = before?.type === 'git' ? before : { type: 'git', url: '' };
    const answer = await this.#questions.pick<LaunchSource>({
      ...place,
      placeholder: 'What does the agent find in its workspace?',
      choices: [
        ...folders.map(({ name, path }) => ({
          label: `$(folder) ${folders.length === 1 ? 'This folder as it is now' : `Folder ${plain(name)} as it is now`}`,
          value: { type: 'folder', path } as const,
          description: plain(name),
          detail: 'Uncommitted and new files included, ignored ones not',
        })),
        {
          label: '$(repo) A git repository',
          value: git,
          detail: `Cloned by the cluster from a URL${
            this.#offers.foldersRefused === undefined ? '' : `. ${this.#offers.foldersRefused}`
          }`,
        },
        { label: '$(circle-slash) Nothing', value: { type: 'none' }, detail: 'An empty workspace' },
      ],
      active: (source) =>
        source.type === before?.type &&
        (source.type !== 'folder' || before.type !== 'folder' || source.path === before.path),
    });
    return then(answer, (source) => answered(draft, { source }));
  };

  readonly #gitUrl: Ask = async (draft, place) => {
    const { source } = draft.answers;
    const before = source?.type === 'git' && source.url !== '' ? source : undefined;
    const repository = before === undefined ? await this.#offers.repository() : before;
    const answer = await this.#questions.input({
      ...place,
      prompt: 'URL of the repository, without credentials',
      value: repository.url ?? '',
      placeholder: 'https://example.com/team/project.git',
      check: checkGitUrl,
    });
    return then(answer, (text) => {
      const url = normaliseGitUrl(text);
      const ref = before === undefined && url === repository.url ? repository.ref : before?.ref;
      return answered(draft, { source: { type: 'git', url, ...(ref === undefined ? {} : { ref }) } });
    });
  };

  readonly #gitRef: Ask = async (draft, place) => {
    const { source } = draft.answers;
    if (source?.type !== 'git') return { go: 'next', state: draft };
    const answer = await this.#questions.input({
      ...place,
      prompt: 'Branch, tag or commit; empty for the default branch',
      value: source.ref ?? '',
      check: checkGitRef,
    });
    return then(answer, (ref) =>
      answered(draft, { source: { type: 'git', url: source.url, ...(ref === '' ? {} : { ref }) } }),
    );
  };

  readonly #limits: Ask = async (draft, place) => {
    const limits = draft.answers.limits ?? draft.last.limits;
    const answer = await this.#questions.pick<'defaults' | 'last' | 'customise'>({
      ...place,
      placeholder: 'How long, and how much of the cluster?',
      choices: [
        { label: 'Use defaults', value: 'defaults', description: defaultsText(draft.chosen) },
        ...(limits === undefined
          ? []
          : [{ label: 'Same as last time', value: 'last' as const, description: limitsText(limits) }]),
        { label: 'Customise…', value: 'customise', description: 'time, memory, CPU' },
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

  readonly #timeout: Ask = async (draft, place) => {
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

  #quantity(which: 'memory' | 'cpu', prompt: string, example: string): Ask {
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

  readonly #displayName: Ask = async (draft, place) => {
    const answer = await this.#questions.input({
      ...place,
      prompt: 'Name to show to people',
      value: draft.answers.displayName ?? suggestedName(draft),
      placeholder: 'may be left empty',
      check: checkDisplayName,
    });
    return then(answer, (displayName) => answered(draft, { displayName: displayName.trim() }));
  };
}

/** The required fields; without any, what frameworks call the task. */
function mainFields(fields: readonly Field[]): Field[] {
  const required = fields.filter((field) => field.required);
  if (required.length > 0) return required;
  const task = fields.find(({ name }) =>
    ['prompt', 'command', 'task', 'script', 'instructions'].includes(name),
  );
  return task === undefined ? [] : [task];
}

function frameworkChoice(framework: Framework): Choice<Framework> {
  const { displayName, description, versions } = framework.spec;
  const [first] = versions;
  return {
    label: plain(displayName ?? framework.metadata.name),
    value: framework,
    description: [
      displayName === undefined ? '' : framework.metadata.name,
      plain(first?.name ?? ''),
      first?.deprecated === undefined ? '' : 'deprecated',
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

/** From what the session is to do: the first words of it. */
function suggestedName(draft: Draft): string {
  const [field] = mainFields(fieldsOf(draft.chosen?.spec.configSchema));
  const value = field === undefined ? undefined : draft.answers.config?.[field.name];
  return field === undefined || value === undefined ? '' : plain(textOf(field, value), 60);
}

function defaultsText(framework: Framework | undefined): string {
  const { memory, cpu } = framework?.spec.resources ?? {};
  return limitsText({
    timeoutSeconds: 3600,
    ...(memory === undefined ? {} : { memory }),
    ...(cpu === undefined ? {} : { cpu }),
  });
}

const limitsText = ({ timeoutSeconds, memory, cpu }: LaunchLimits): string =>
  [
    timeoutSeconds === undefined ? '' : formatDuration(timeoutSeconds * 1000),
    memory === undefined ? '' : `${memory} memory`,
    cpu === undefined ? '' : `${cpu} CPU`,
  ]
    .filter(Boolean)
    .join(', ');

const answered = (draft: Draft, given: Partial<LaunchAnswers>): Draft => ({
  ...draft,
  answers: { ...draft.answers, ...given },
});

const then = <T>(answer: Answer<T>, next: (value: T) => Draft): Reply<Draft> =>
  answer.go === 'next' ? { go: 'next', state: next(answer.value) } : answer;
