/** In a pod that is kept ready: asks for the run until a session has the pod. Nothing of any session is here before. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import { RunAnswer, RUNNER_PATHS } from '../common/api/runner.ts';
import type { RunDescription, WaitDescription } from '../common/api/runner.ts';
import { Endpoint } from './endpoint.ts';
import type { Locations } from './locations.ts';
import type { Mirror } from './records.ts';
import { pause } from './retry.ts';
import { readSessionFile } from './session-file.ts';

const WAIT_SECONDS = 25;
/** An operator that answers at once each time must not be asked at once each time. */
const LEAST_MS = 1_000;

export interface WaitOptions {
  locations: Locations;
  mirror: Mirror;
  elapsed: () => number;
  random: () => number;
  signal: AbortSignal;
}

/** Throws the signal's reason, and EndpointError when the operator does not accept this pod (any more). */
export async function awaitRun(
  { endpoint: at }: WaitDescription,
  { locations, mirror, elapsed, random, signal }: WaitOptions,
): Promise<RunDescription> {
  using endpoint = new Endpoint({
    ...at,
    tokenFile: locations.token,
    currentCa: async () => (await readSessionFile(locations.description)).endpoint.ca,
    random,
  });
  mirror.say('waiting for a session');
  for (;;) {
    const asked = elapsed();
    const answer = await endpoint.callPatiently({
      method: 'GET',
      path: `${RUNNER_PATHS.run}?wait=${WAIT_SECONDS}`,
      idleMs: (WAIT_SECONDS + 15) * 1000,
      signal,
    });
    if (Value.Check(RunAnswer, answer) && answer.run !== undefined) return answer.run;
    await pause(Math.max(0, asked + LEAST_MS - elapsed()), signal);
    signal.throwIfAborted();
  }
}

/** Kubernetes takes its time to bring it into the mounted file, and the command does not wait. */
export async function describeToCommand(run: RunDescription, locations: Locations): Promise<Locations> {
  const commandDescription = join(locations.temporary, 'session.json');
  await writeFile(commandDescription, JSON.stringify(run), { mode: 0o400 });
  return { ...locations, commandDescription };
}
