/** Where things lie in the pod. Tests put them elsewhere by environment; nothing else does. */
import { join } from 'node:path';
import { MOUNTS } from '../common/api/runner.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Locations {
  description: string;
  /** The same for the command, where it is not mounted. */
  commandDescription?: string;
  token: string;
  /** The command's key to the model gateway, where it has one. */
  modelsToken: string;
  workspace: string;
  artifacts: string;
  temporary: string;
  gitCredentials: string;
  inputCredentials: string;
  inputs: string;
  /** Kubernetes reads it when the container has ended: the truth when the operator could not be told. */
  terminationMessage: string;
}

export function locationsFrom(env: Environment): Locations {
  const control = env.AMBIENT_CONTROL_DIR ?? MOUNTS.control;
  return {
    description: join(control, 'session.json'),
    token: join(control, 'token'),
    modelsToken: join(control, 'models-token'),
    workspace: env.AMBIENT_WORKSPACE ?? MOUNTS.workspace,
    artifacts: env.AMBIENT_ARTIFACTS ?? MOUNTS.artifacts,
    temporary: env.AMBIENT_TEMPORARY ?? MOUNTS.temporary,
    gitCredentials: env.AMBIENT_GIT_CREDENTIALS ?? MOUNTS.gitCredentials,
    inputCredentials: env.AMBIENT_INPUT_CREDENTIALS ?? MOUNTS.inputCredentials,
    inputs: env.AMBIENT_INPUTS ?? MOUNTS.inputs,
    terminationMessage: env.AMBIENT_TERMINATION_MESSAGE ?? '/dev/termination-log',
  };
}
