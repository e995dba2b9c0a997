/** The step `push`: fetches what the session changed, pushes it, and reports how that went. In a pod without any agent. */
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { PUSH_REPORT, pushPath } from '../../common/api/push.ts';
import type { PushDescription, PushReport } from '../../common/api/push.ts';
import { CHANGES_PATCH } from '../../common/api/runner.ts';
import { messageOf } from '../../common/errors.ts';
import { Endpoint } from '../endpoint.ts';
import { proxyOf } from '../git-process.ts';
import type { Environment, Locations } from '../locations.ts';
import { readPushDescription } from '../session-file.ts';
import { credentialSettings } from '../source/git-credentials.ts';
import { SourceError } from '../source/source-error.ts';
import { pushBranch } from './push-branch.ts';

/** Of one attempt; the operator is waited for as long. */
const ATTEMPT_MS = 20 * 60_000;
const MESSAGE_MAX = 2048;

export interface PushContext {
  locations: Locations;
  env: Environment;
  say: (line: string) => void;
  random: () => number;
}

/** The exit code: 0 when nothing is to be tried again. */
export async function pushStep({ locations, env, say, random }: PushContext): Promise<number> {
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const)
    process.once(name, () => stop.abort(new Error('the pod was told to end')));
  const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(ATTEMPT_MS)]);
  try {
    const description = await readPushDescription(locations.description);
    using endpoint = new Endpoint({
      ...description.endpoint,
      tokenFile: locations.token,
      currentCa: async () => (await readPushDescription(locations.description)).endpoint.ca,
      random,
    });
    const report = await attempt(description, { locations, env, endpoint, signal });
    say(report.state === 'pushed' ? `pushed ${report.branch}` : `${report.state}${why(report)}`);
    await endpoint.callPatiently({
      method: 'POST',
      path: pushPath(PUSH_REPORT),
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(report)),
      signal,
    });
    return report.state === 'failed' ? 1 : 0;
  } catch (error) {
    say(`it cannot be told how that went: ${messageOf(error)}`);
    return 1;
  }
}

const why = (report: PushReport): string => ('message' in report ? `: ${report.message}` : '');

interface Means {
  locations: Locations;
  env: Environment;
  endpoint: Endpoint;
  signal: AbortSignal;
}

/** Rejects when the operator refuses this pod, or time is over. */
async function attempt(
  description: PushDescription,
  { locations, env, endpoint, signal }: Means,
): Promise<PushReport> {
  const { source, credentials, branches, commit } = description;
  const scratch = await mkdtemp(join(locations.temporary, 'push-'));
  const failed = (
    reason: Extract<PushReport, { state: 'failed' }>['reason'],
    error: unknown,
  ): PushReport => ({ state: 'failed', reason, message: messageOf(error).slice(0, MESSAGE_MAX) });
  try {
    const patch = join(scratch, CHANGES_PATCH);
    await endpoint.patiently(signal, async () => {
      const response = await endpoint.open({ method: 'GET', path: pushPath(CHANGES_PATCH), signal });
      await pipeline(response, createWriteStream(patch, { mode: 0o600 }), { signal });
    });
    const [home, cwd] = [join(scratch, 'home'), join(scratch, 'repository')];
    await Promise.all([mkdir(home, { mode: 0o700 }), mkdir(cwd)]);
    const git = {
      cwd,
      home,
      signal,
      env: { ...proxyOf({ ...env, ...description.env }), GIT_ALLOW_PROTOCOL: 'http:https' },
      config: await credentialSettings(locations.gitCredentials, source.url, credentials),
    };
    const report = await pushBranch({ source, branches, commit, patch }, git);
    return 'message' in report ? { ...report, message: report.message.slice(0, MESSAGE_MAX) } : report;
  } catch (error) {
    signal.throwIfAborted();
    // A Secret that is put right within the time of all attempts is good for the next one.
    if (error instanceof SourceError) return failed('CredentialsMissing', error);
    throw error;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
