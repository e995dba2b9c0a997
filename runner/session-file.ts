/** Reads the description that the operator mounted, and refuses one that does not fit the contract. */
import { readFile } from 'node:fs/promises';
import type Type from 'typebox';
import { Value } from 'typebox/value';
import { PushDescription } from '../common/api/push.ts';
import { RunDescription } from '../common/api/runner.ts';
import { AmbientError, messageOf } from '../common/errors.ts';

/** Throws AmbientError `invalid` with the first fields that do not fit. */
export const readRunDescription = (path: string): Promise<RunDescription> =>
  readDescription(path, RunDescription, 'a run');

/** The same of the pod that pushes. */
export const readPushDescription = (path: string): Promise<PushDescription> =>
  readDescription(path, PushDescription, 'a push');

async function readDescription<T extends typeof RunDescription | typeof PushDescription>(
  path: string,
  schema: T,
  what: string,
): Promise<Type.Static<T>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new AmbientError('invalid', `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  if (!Value.Check(schema, parsed)) {
    const problems = Value.Errors(schema, parsed)
      .slice(0, 5)
      .map(({ instancePath, message }) => `${instancePath || '/'} ${message}`);
    throw new AmbientError('invalid', `${path} does not describe ${what}: ${problems.join('; ')}`);
  }
  if (!URL.canParse(parsed.endpoint.url) || new URL(parsed.endpoint.url).protocol !== 'https:')
    throw new AmbientError('invalid', `${path}: endpoint.url must be an https URL`);
  return parsed;
}
