/** What a person answers to launch a session, and the Session object that it makes. Pure. */
import { API_VERSION } from '../../common/api/names.ts';
import type { Session, SessionResult, SessionSpec } from '../../common/api/session.ts';

export type LaunchSource =
  | { type: 'none' }
  /** The folder as it is now, packed and uploaded. */
  | { type: 'folder'; path: string }
  /** `credentials` is the name of a Secret. */
  | { type: 'git'; url: string; ref?: string; credentials?: string };

/** Only there credentials can be used, and changes be pushed to. */
export const isPushable = (source: LaunchSource | undefined): boolean =>
  source?.type === 'git' && /^https?:\/\//.test(source.url);

export interface LaunchLimits {
  timeoutSeconds?: number;
  gracePeriodSeconds?: number;
  /** Of a framework that takes messages. */
  idleSeconds?: number;
  cpu?: string;
  memory?: string;
  storage?: string;
  /** USD; becomes spec.policy.modelConstraints.budget. */
  budget?: string;
  /** Becomes spec.runtimeClassName. */
  runtimeClassName?: string;
}

export interface LaunchAnswers {
  /** Kubeconfig context. */
  cluster: string;
  namespace: string;
  /** Name of a Framework object. */
  framework: string;
  version?: string;
  config: Record<string, unknown>;
  source: LaunchSource;
  /** What becomes of the changes of a git source; absent: they are an artifact. */
  result?: SessionResult;
  limits?: LaunchLimits;
  displayName?: string;
}

/** The argument of the command `ambient.launch`. With `framework` nothing is asked; what is absent has a default. */
export type LaunchArguments = Partial<LaunchAnswers>;

/** Whether something given to the command is meant as answers: a tree node only names cluster and namespace. */
export const isComplete = (given: LaunchArguments): given is LaunchArguments & { framework: string } =>
  typeof given.framework === 'string';

export interface PackedSource {
  sizeBytes: number;
  digest: string;
  name: string;
}

/** `name` is the object's name, a random UUID; `packed` goes with a source of type folder. */
export function sessionManifest(answers: LaunchAnswers, name: string, packed?: PackedSource): Session {
  const { framework, version, config, displayName, result } = answers;
  const { budget, runtimeClassName, ...asked } = answers.limits ?? {};
  const limits = limitsOf(asked);
  const spec: SessionSpec = {
    ...(displayName === undefined || displayName === '' ? {} : { displayName }),
    trigger: { source: 'manual' },
    framework: {
      type: framework,
      ...(version === undefined ? {} : { version }),
      ...(Object.keys(config).length === 0 ? {} : { config }),
    },
    source: sourceOf(answers.source, packed),
    ...(result === undefined ? {} : { result }),
    ...(budget === undefined ? {} : { policy: { modelConstraints: { budget } } }),
    ...(limits === undefined ? {} : { limits }),
    ...(runtimeClassName === undefined ? {} : { runtimeClassName }),
  };
  return { apiVersion: API_VERSION, kind: 'Session', metadata: { name, namespace: answers.namespace }, spec };
}

function sourceOf(source: LaunchSource, packed: PackedSource | undefined): SessionSpec['source'] {
  switch (source.type) {
    case 'none':
      return { type: 'none' };
    case 'git': {
      const { type, ...git } = source;
      return { type, git };
    }
    case 'folder':
      if (packed === undefined) throw new RangeError('a folder has to be packed before it can be described');
      return {
        type: 'upload',
        upload: { sizeBytes: packed.sizeBytes, digest: packed.digest, name: packed.name.slice(0, 253) },
      };
  }
}

/** The schema has both times or none, for which the API server fills in its defaults; these are the same. */
function limitsOf(limits: Omit<LaunchLimits, 'budget' | 'runtimeClassName'>): SessionSpec['limits'] {
  const given = Object.entries(limits).filter(([, value]) => value !== undefined && value !== '');
  if (given.length === 0) return undefined;
  return { timeoutSeconds: 3600, gracePeriodSeconds: 30, ...Object.fromEntries(given) };
}
