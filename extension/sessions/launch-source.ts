/** The launch form's questions about the source: this folder, a git repository, or nothing. */
import { plain } from '../ide/plain-text.ts';
import type { Questions } from '../ide/questions.ts';
import { checkGitRef, checkGitUrl, checkSecretName, normaliseGitUrl } from './input-checks.ts';
import type { LaunchSource } from './launch-answers.ts';
import { isPushable } from './launch-answers.ts';
import { answered, then } from './launch-draft.ts';
import type { Ask, LaunchOffers } from './launch-draft.ts';
import { pushingFrom } from './launch-result.ts';

export class SourceQuestions {
  readonly #questions: Questions;
  readonly #offers: LaunchOffers;

  constructor(questions: Questions, offers: LaunchOffers) {
    this.#questions = questions;
    this.#offers = offers;
  }

  readonly source: Ask = async (draft, place) => {
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
          detail: ['Cloned by the cluster from a URL', pushingFrom(draft), this.#offers.foldersRefused]
            .filter((sentence) => sentence !== undefined)
            .join('. '),
        },
        { label: '$(circle-slash) Nothing', value: { type: 'none' }, detail: 'An empty workspace' },
      ],
      active: (source) =>
        source.type === before?.type &&
        (source.type !== 'folder' || before.type !== 'folder' || source.path === before.path),
    });
    return then(answer, (source) => answered(draft, { source }));
  };

  readonly gitUrl: Ask = async (draft, place) => {
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
      const source: LaunchSource = { type: 'git', url, ...(ref === undefined ? {} : { ref }) };
      const credentials = isPushable(source) ? before?.credentials : undefined;
      return answered(draft, {
        source: { ...source, ...(credentials === undefined ? {} : { credentials }) },
      });
    });
  };

  readonly gitRef: Ask = async (draft, place) => {
    const { source } = draft.answers;
    if (source?.type !== 'git') return { go: 'next', state: draft };
    const answer = await this.#questions.input({
      ...place,
      prompt: 'Branch, tag or commit; empty for the default branch',
      value: source.ref ?? '',
      check: checkGitRef,
    });
    return then(answer, (ref) => {
      const { ref: _, ...others } = source;
      return answered(draft, { source: { ...others, ...(ref === '' ? {} : { ref }) } });
    });
  };

  /** Asked where they can be used. */
  readonly gitCredentials: Ask = async (draft, place) => {
    const { source } = draft.answers;
    if (source?.type !== 'git') return { go: 'next', state: draft };
    const answer = await this.#questions.input({
      ...place,
      prompt: 'Secret of the namespace with the credentials to clone it; empty for a public repository',
      value: source.credentials ?? '',
      check: (text) => (text.trim() === '' ? undefined : checkSecretName(text.trim())),
    });
    return then(answer, (text) => {
      const { credentials: _, ...others } = source;
      const credentials = text.trim();
      return answered(draft, { source: { ...others, ...(credentials === '' ? {} : { credentials }) } });
    });
  };
}
