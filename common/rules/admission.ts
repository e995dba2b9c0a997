/** Whether a session may run at all, and as what: the framework, its version, the resolved command. Pure, so every door can ask. */
import { EVENT_FORMATS, INPUTS } from '../api/framework.ts';
import type { Framework, FrameworkModels, FrameworkSpec } from '../api/framework.ts';
import {
  DEFAULT_GRACE_SECONDS,
  DEFAULT_IDLE_SECONDS,
  DEFAULT_TIMEOUT_SECONDS,
  SESSION_BYTES_MAX,
} from '../api/session.ts';
import type { SessionSpec } from '../api/session.ts';
import { executes } from './policy/restrictions.ts';
import { resolveCommand, resolveEnv, resolveImage } from './command.ts';
import { checkConfig } from './config.ts';
import { formatBytes, formatList } from './wording.ts';

/** Why a session is refused: reasons of PolicyValidated=False and of Failed. */
export const REFUSALS = [
  'TooLarge',
  'UnknownFramework',
  'UnknownFrameworkVersion',
  'InvalidFramework',
  'InvalidConfig',
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** Everything a workload needs to know, with all defaults applied. */
export interface RunPlan {
  framework: string;
  version: string;
  image: string;
  imagePullPolicy: 'Always' | 'IfNotPresent' | 'Never' | undefined;
  deprecated: string | undefined;
  config: Record<string, unknown>;
  command: string[];
  env: Record<string, string>;
  eventFormat: (typeof EVENT_FORMATS)[number];
  /** The runner beside an image that has none. */
  sidecar: FrameworkSpec['sidecar'];
  /** Reached through the gateway. */
  models: FrameworkModels[];
  input: (typeof INPUTS)[number];
  /** Cannot be kept from executing commands. */
  executes: boolean;
  limits: Limits;
}

export interface Limits {
  timeoutSeconds: number;
  gracePeriodSeconds: number;
  /** Undefined: nobody talks to it. */
  idleSeconds: number | undefined;
  cpu: string;
  memory: string;
  /** Only when somebody asked for one: nodes that do not account for local storage can take no pod that has it. */
  storage: string | undefined;
}

/** Limits of a pod where neither the session nor its framework says anything. */
export const DEFAULT_LIMITS = { cpu: '2', memory: '2Gi' } as const;

export type Admission =
  | { accepted: true; plan: RunPlan }
  /** fields: paths in the Session, where it is known which ones are wrong. */
  | { accepted: false; reason: Refusal; message: string; fields?: string[] };

/**
 * @param bytes size of the Session as JSON
 * @param frameworks all of the cluster's registry, so that a refusal can name what there is
 */
export function admit(spec: SessionSpec, bytes: number, frameworks: readonly Framework[]): Admission {
  if (bytes > SESSION_BYTES_MAX)
    return refuse(
      'TooLarge',
      `The Session has ${formatBytes(bytes)}; at most ${formatBytes(SESSION_BYTES_MAX)} are accepted. Put long input into the source instead of the object.`,
    );

  const { type } = spec.framework;
  const framework = frameworks.find((candidate) => candidate.metadata.name === type);
  if (framework === undefined) {
    const known = frameworks.map((candidate) => candidate.metadata.name).sort();
    return refuse(
      'UnknownFramework',
      known.length === 0
        ? `There is no framework "${type}": this cluster has none. An administrator installs them with kubectl apply -f manifests/frameworks.`
        : `There is no framework "${type}". This cluster has: ${formatList(known)}. Launch again with one of them.`,
    );
  }

  const { versions } = framework.spec;
  const version =
    spec.framework.version === undefined
      ? versions[0]
      : versions.find((candidate) => candidate.name === spec.framework.version);
  if (version === undefined)
    return refuse(
      'UnknownFrameworkVersion',
      `Framework "${type}" has no version "${spec.framework.version}". It has: ${formatList(versions.map(({ name }) => name))}. Launch again with one of them, or without a version for the first.`,
    );

  const checked = checkConfig(framework.spec.configSchema, spec.framework.config);
  if (!checked.ok) {
    const refusal = refuseFor(checked.whose, type, checked.message);
    return checked.whose === 'config'
      ? { ...refusal, fields: checked.wrong.map((field) => `spec.framework.${field}`) }
      : refusal;
  }

  const command = resolveCommand(framework.spec.command, checked.config);
  const env = resolveEnv(framework.spec.env ?? [], checked.config);
  const image = resolveImage(version.image, checked.config);
  const problems = [...image.problems, ...command.problems, ...env.problems];
  const worst = problems.find(({ whose }) => whose === 'framework') ?? problems[0];
  if (worst !== undefined)
    return refuseFor(
      worst.whose,
      type,
      formatList(problems.filter(({ whose }) => whose === worst.whose).map(({ message }) => message)),
    );

  // Credentials are mounted where the runner fetches: in an image that whoever launches has chosen, they would be that person's.
  const chosenImage = image.value[0] ?? '';
  if (chosenImage !== version.image && framework.spec.sidecar === undefined && bringsCredentials(spec))
    return refuse(
      'InvalidFramework',
      `Framework "${type}" takes its image from the session, which may not have credentials then: sources and inputs that need some are fetched in an image that the Framework itself names. Ask whoever manages the frameworks of this cluster for one with a sidecar.`,
    );

  return {
    accepted: true,
    plan: {
      ...planOf(framework, version, spec.limits),
      image: chosenImage,
      config: checked.config,
      command: command.value,
      env: env.value,
    },
  };
}

/** Of a session without any configuration. */
export function planOf(
  { metadata, spec }: Framework,
  version: FrameworkSpec['versions'][number],
  limits: Partial<NonNullable<SessionSpec['limits']>> = {},
): RunPlan {
  const input = spec.input ?? INPUTS[0];
  return {
    framework: metadata.name,
    version: version.name,
    image: version.image,
    imagePullPolicy: version.imagePullPolicy,
    deprecated: version.deprecated,
    config: {},
    command: [],
    env: {},
    eventFormat: spec.eventFormat ?? EVENT_FORMATS[0],
    sidecar: spec.sidecar,
    models: spec.models ?? [],
    input,
    executes: executes(spec),
    limits: {
      timeoutSeconds: limits.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS,
      gracePeriodSeconds: limits.gracePeriodSeconds ?? DEFAULT_GRACE_SECONDS,
      idleSeconds: input === 'none' ? undefined : (limits.idleSeconds ?? DEFAULT_IDLE_SECONDS),
      cpu: limits.cpu ?? spec.resources?.cpu ?? DEFAULT_LIMITS.cpu,
      memory: limits.memory ?? spec.resources?.memory ?? DEFAULT_LIMITS.memory,
      storage: limits.storage ?? spec.resources?.storage,
    },
  };
}

const bringsCredentials = (spec: SessionSpec): boolean =>
  spec.source?.git?.credentials !== undefined ||
  spec.result?.credentials !== undefined ||
  (spec.artifacts?.references ?? []).some(({ credentials }) => credentials !== undefined);

type Refused = Extract<Admission, { accepted: false }>;

const refuse = (reason: Refusal, message: string): Refused => ({ accepted: false, reason, message });

const refuseFor = (whose: 'framework' | 'config', type: string, message: string): Refused =>
  whose === 'config'
    ? refuse(
        'InvalidConfig',
        `spec.framework.config does not fit framework "${type}": ${message}. Correct it and launch again.`,
      )
    : refuse(
        'InvalidFramework',
        `Framework "${type}" is not usable: ${message}. Ask whoever manages the frameworks of this cluster to correct it.`,
      );
