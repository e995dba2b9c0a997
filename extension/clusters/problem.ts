/** What keeps a cluster from being shown, and what the person can do about it: one place for tree, welcome views and notifications. */
import { AmbientError, CATALOGUE, messageOf } from '../../common/errors.ts';
import {
  isForbidden,
  isNotFound,
  isUnauthorized,
  isUnreachable,
  KubeError,
} from '../../common/kube/errors.ts';

export const PROBLEM_KINDS = [
  'noKubeconfig',
  'kubeconfigInvalid',
  'noContext',
  'unreachable',
  'credentials',
  'notInstalled',
  'operatorAway',
  'forbidden',
  'noNamespaces',
  'other',
] as const;
export type ProblemKind = (typeof PROBLEM_KINDS)[number];

export interface ProblemAction {
  title: string;
  command: string;
  arguments?: unknown[];
}

export interface Problem {
  kind: ProblemKind;
  /** A few words. */
  title: string;
  /** What happened, in full; text from outside. */
  message: string;
  /** What to do. */
  remedy: string;
  actions: ProblemAction[];
}

/** The setting's default: in a checkout of the project, as the README has it. */
export const INSTALL_COMMAND =
  'kubectl apply -f manifests/crds -f manifests/operator -f manifests/frameworks';

/** The command that a platform administrator runs, for a context when one is known and the command is kubectl. */
export const installCommand = (command: string, context?: string): string =>
  context === undefined || context === '' || !command.startsWith('kubectl ')
    ? command
    : command.replace('kubectl ', `kubectl --context ${shellWord(context)} `);

/** Quoted for the shells that VS Code opens: single quotes mean the same in sh, zsh, fish and PowerShell. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text)
    ? text
    : `'${text.replaceAll("'", process.platform === 'win32' ? "''" : `'\\''`)}'`;

const RETRY: ProblemAction = { title: 'Retry', command: 'ambient.refresh' };
const SHOW_LOG: ProblemAction = { title: 'Show Log', command: 'ambient.showOutput' };

const RULE_TITLES = {
  policy_violation: 'The policy of the namespace forbids this',
  approval_forbidden: 'The policy of the namespace leaves this decision to others',
  audit_unavailable: 'Nothing can be decided now, since it could not be recorded',
} as const;

const isRuleCode = (code: string | undefined): code is keyof typeof RULE_TITLES =>
  code !== undefined && Object.hasOwn(RULE_TITLES, code);

/** `context` is the kubeconfig context concerned. `forbidden` says which right was missing when the server's message does not. */
export function problemOf(error: unknown, context: string): Problem {
  const message = messageOf(error);
  const make = (kind: ProblemKind, title: string, remedy: string, actions: ProblemAction[]): Problem => ({
    kind,
    title,
    message,
    remedy,
    actions,
  });
  const remedy = error instanceof AmbientError ? error.remedy : 'Try again; details are in the log.';
  if (error instanceof NoContexts) return error.problem;
  if (error instanceof NotInstalled)
    return make('notInstalled', 'Ambient Sessions is not installed in this cluster', error.remedy, [
      { title: 'Install…', command: 'ambient.install', arguments: [context] },
      { title: 'Copy Command', command: 'ambient.copyInstallCommand', arguments: [context] },
      RETRY,
    ]);
  if (error instanceof NoNamespaces)
    return make('noNamespaces', 'No namespace to show', error.remedy, [
      { title: 'Pin a Namespace…', command: 'ambient.pinNamespace', arguments: [{ cluster: context }] },
      RETRY,
    ]);
  if (isUnauthorized(error) || (error instanceof AmbientError && error.code === 'credentials_failed'))
    return make('credentials', 'Credentials were refused or have expired', remedy, [
      { title: 'Retry', command: 'ambient.reconnect', arguments: [{ cluster: context }] },
      { title: 'Open kubeconfig', command: 'ambient.openKubeconfig' },
      SHOW_LOG,
    ]);
  if (isUnreachable(error))
    return make('unreachable', 'The cluster cannot be reached', remedy, [
      { title: 'Retry', command: 'ambient.reconnect', arguments: [{ cluster: context }] },
      { title: 'Select Contexts…', command: 'ambient.selectContexts' },
      SHOW_LOG,
    ]);
  // Refused by a rule of the operator's, which knows the remedy; not by RBAC.
  if (error instanceof KubeError && isRuleCode(error.causeCode))
    return make('forbidden', RULE_TITLES[error.causeCode], CATALOGUE[error.causeCode].remedy, []);
  if (isForbidden(error))
    return make('forbidden', 'You may not list sessions here', remedy, [
      { title: 'Pin a Namespace…', command: 'ambient.pinNamespace', arguments: [{ cluster: context }] },
      RETRY,
    ]);
  if (error instanceof AmbientError && error.code === 'kubeconfig_invalid')
    return make('kubeconfigInvalid', 'The kubeconfig cannot be used', remedy, [
      { title: 'Open kubeconfig', command: 'ambient.openKubeconfig' },
      RETRY,
    ]);
  return make('other', 'The cluster answered with an error', remedy, [RETRY, SHOW_LOG]);
}

/** The same for a request to the live API, where 404 and 503 may mean that nobody serves it. */
export function liveProblemOf(error: unknown, context: string): Problem {
  if (!isOperatorAway(error)) return problemOf(error, context);
  return {
    kind: 'operatorAway',
    title: 'The operator does not answer',
    message: messageOf(error),
    remedy: 'Check that the deployment ambient-operator in the namespace ambient-system is running.',
    actions: [RETRY, SHOW_LOG],
  };
}

/** The aggregated API is registered but nobody stands behind it, or it is not registered at all. */
export const isOperatorAway = (error: unknown): boolean =>
  error instanceof KubeError &&
  ((error.status === 503 && error.causeCode === undefined) ||
    // The operator's own 404 carries a code of the catalogue; the API server's for an unknown group has no details.
    (isNotFound(error) && error.causeCode === undefined && error.kubeStatus?.details?.name === undefined));

/** The API group of sessions is not served. */
export class NotInstalled extends AmbientError {
  constructor() {
    super('not_found', 'The cluster does not know Session objects (ambient.ai/v1alpha1).');
    this.name = 'NotInstalled';
  }

  override get remedy(): string {
    return 'Install the CRDs and the operator, or ask an administrator of the cluster to do so.';
  }
}

/** No context is there to do something in; the problem tells why. */
export class NoContexts extends AmbientError {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super('kubeconfig_invalid', problem.message);
    this.name = 'NoContexts';
    this.problem = problem;
  }

  override get remedy(): string {
    return this.problem.remedy;
  }
}

/** Listing namespaces is forbidden, none is pinned, and the context's own may not be looked into. */
export class NoNamespaces extends AmbientError {
  constructor() {
    super('forbidden', 'You may not list the namespaces of this cluster, and none is pinned.');
    this.name = 'NoNamespaces';
  }

  override get remedy(): string {
    return 'Pin a namespace in which you may see sessions.';
  }
}

export const isProblem = (value: unknown): value is Problem =>
  typeof value === 'object' &&
  value !== null &&
  (PROBLEM_KINDS as readonly unknown[]).includes(Reflect.get(value, 'kind')) &&
  Array.isArray(Reflect.get(value, 'actions'));
