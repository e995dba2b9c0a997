/** Reads the description of the run that the operator mounted, and refuses one that does not fit the contract. */
import { readFile } from 'node:fs/promises';
import { Value } from 'typebox/value';
import { RunDescription } from '../common/api/runner.ts';
import { AmbientError, messageOf } from '../common/errors.ts';

/** Throws AmbientError `invalid` with the first fields that do not fit. */
export async function readRunDescription(path: string): Promise<RunDescription> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new AmbientError('invalid', `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  if (!Value.Check(RunDescription, parsed)) {
    const problems = Value.Errors(RunDescription, parsed)
      .slice(0, 5)
      .map(({ instancePath, message }) => `${instancePath || '/'} ${message}`);
    throw new AmbientError('invalid', `${path} does not describe a run: ${problems.join('; ')}`);
  }
  if (!URL.canParse(parsed.endpoint.url) || new URL(parsed.endpoint.url).protocol !== 'https:')
    throw new AmbientError('invalid', `${path}: endpoint.url must be an https URL`);
  return parsed;
}
