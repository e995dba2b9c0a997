/** What the launch form works on: the answers so far, what it offers to choose from, and how one question is asked. */
import type { Framework } from '../../common/api/framework.ts';
import type { Answer } from '../ide/questions.ts';
import type { Place, Reply } from '../ide/wizard.ts';
import type { LaunchAnswers } from './launch-answers.ts';
import type { LaunchPolicy } from './policy-check.ts';

export const LAUNCH_TITLE = 'Launch Session';

/** What the questions offer, from the kubeconfig, the cluster and the workspace. */
export interface LaunchOffers {
  /** Contexts to choose from; the first is suggested. */
  clusters(): Promise<string[]>;
  /** Undefined when listing is forbidden: then the name is typed in. */
  namespaces(cluster: string): Promise<{ names: string[]; incomplete: boolean; suggested?: string }>;
  /** Empty when none can be listed: then the name is typed in. */
  frameworks(cluster: string): Promise<Framework[]>;
  /** Why the person may not launch there; undefined when nothing is known to be in the way. */
  refusal(cluster: string, namespace: string): Promise<string | undefined>;
  /** Undefined when it cannot be read now: then the review tells. */
  policy(cluster: string, namespace: string): Promise<LaunchPolicy | undefined>;
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
  /** Of the namespace. */
  policy?: LaunchPolicy;
  clusters?: string[];
  /** Why the namespace that was chosen last cannot be. */
  refused?: string;
  optional?: 'defaults' | 'customise';
  result?: 'keep' | 'last' | 'push';
  limits?: 'defaults' | 'customise';
}

/** Asks one question and gives the draft with its answer. */
export type Ask = (draft: Draft, place: Place & { title: string }) => Promise<Reply<Draft>>;

export const answered = (draft: Draft, given: Partial<LaunchAnswers>): Draft => ({
  ...draft,
  answers: { ...draft.answers, ...given },
});

export const then = <T>(answer: Answer<T>, next: (value: T) => Draft): Reply<Draft> =>
  answer.go === 'next' ? { go: 'next', state: next(answer.value) } : answer;
