/**
 * What the init container does: clones with credentials, and brings inputs, for which it alone has been given what is needed; and
 * leaves word of how that went.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunDescription } from '../../common/api/runner.ts';
import { messageOf } from '../../common/errors.ts';
import type { Environment, Locations } from '../locations.ts';
import { proxyOf } from '../git-process.ts';
import { readRunDescription } from '../session-file.ts';
import { credentialSettings } from './git-credentials.ts';
import { cloneGit, headOf } from './git.ts';
import { handSource } from './handed.ts';
import { bringInputs } from './inputs.ts';

/** Whether there is anything that the init container brings. */
export const isBrought = ({ source, inputs = [] }: RunDescription): boolean =>
  source.git?.credentials !== undefined || inputs.length > 0;

/** Rejects only when not even word of it can be left. */
export async function bring(locations: Locations, env: Environment): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => stop.abort(new Error('the pod was told to end')));
  try {
    const description = await readRunDescription(locations.description);
    const commit = await clone(description, locations, env, stop.signal);
    await bringInputs(description.inputs ?? [], locations, stop.signal);
    await handSource(locations, { commit });
  } catch (error) {
    await handSource(locations, { problem: messageOf(error) });
  }
}

async function clone(
  { source, env: own }: RunDescription,
  locations: Locations,
  env: Environment,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { url = '', ref, credentials } = source.git ?? {};
  if (credentials === undefined) return undefined;
  const home = await mkdtemp(join(locations.temporary, 'git-home-'));
  try {
    const git = {
      cwd: locations.workspace,
      home,
      signal,
      env: proxyOf({ ...env, ...own }),
      config: await credentialSettings(locations.gitCredentials, url, credentials),
    };
    await cloneGit({ url, ...(ref === undefined ? {} : { ref }) }, git);
    return await headOf(git);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}
