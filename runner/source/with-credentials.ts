/** What the init container does: clones with credentials that it alone has been given, and leaves word of how that went. */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../../common/errors.ts';
import type { Environment, Locations } from '../locations.ts';
import { proxyOf } from '../git-process.ts';
import { readRunDescription } from '../session-file.ts';
import { credentialSettings } from './git-credentials.ts';
import { cloneGit, headOf } from './git.ts';
import { handSource } from './handed.ts';

/** Rejects only when not even word of it can be left. */
export async function bringWithCredentials(locations: Locations, env: Environment): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => stop.abort(new Error('the pod was told to end')));
  const home = await mkdtemp(join(locations.temporary, 'git-home-'));
  try {
    const { source, env: own } = await readRunDescription(locations.description);
    const { url = '', ref, credentials = '' } = source.git ?? {};
    const git = {
      cwd: locations.workspace,
      home,
      signal: stop.signal,
      env: proxyOf({ ...env, ...own }),
      config: await credentialSettings(locations.gitCredentials, url, credentials),
    };
    await cloneGit({ url, ...(ref === undefined ? {} : { ref }) }, git);
    await handSource(locations, { commit: await headOf(git) });
  } catch (error) {
    await handSource(locations, { problem: messageOf(error) });
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}
