/** Reads what the operator mounted: what the pod shall do, or that it waits for a run. Refuses what does not fit the contract. */
import { readFile } from 'node:fs/promises';
import type Type from 'typebox';
import { Value } from 'typebox/value';
import { PushDescription } from '../common/api/push.ts';
import { RunDescription, WaitDescription } from '../common/api/runner.ts';
import { AmbientError, messageOf } from '../common/errors.ts';

/** Of a pod that may have been made before its session. Throws AmbientError `invalid` with the first fields that do not fit. */
export async function readSessionFile(path: string): Promise<RunDescription | WaitDescription> {
  const parsed = await readJson(path);
  return Value.Check(WaitDescription, parsed)
    ? reachable(parsed, path)
    : fitting(parsed, RunDescription, `${path} does not describe a run`, path);
}

/** As readSessionFile, of a pod that was made for its session. */
export async function readRunDescription(path: string): Promise<RunDescription> {
  const described = await readSessionFile(path);
  if ('waits' in described) throw new AmbientError('invalid', `${path} does not describe a run yet`);
  return described;
}

/** The same of the pod that pushes. */
export const readPushDescription = async (path: string): Promise<PushDescription> =>
  fitting(await readJson(path), PushDescription, `${path} does not describe a push`, path);

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new AmbientError('invalid', `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

function fitting<T extends typeof RunDescription | typeof PushDescription>(
  parsed: unknown,
  schema: T,
  problem: string,
  path: string,
): Type.Static<T> {
  if (!Value.Check(schema, parsed)) {
    const problems = Value.Errors(schema, parsed)
      .slice(0, 5)
      .map(({ instancePath, message }) => `${instancePath || '/'} ${message}`);
    throw new AmbientError('invalid', `${problem}: ${problems.join('; ')}`);
  }
  return reachable(parsed, path);
}

function reachable<T extends { endpoint: { url: string } }>(described: T, path: string): T {
  const { url } = described.endpoint;
  if (!URL.canParse(url) || new URL(url).protocol !== 'https:')
    throw new AmbientError('invalid', `${path}: endpoint.url must be an https URL`);
  return described;
}
