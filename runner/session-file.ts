/** Reads what the operator mounted: the description of the run, or that the pod waits for one. Refuses what does not fit the contract. */
import { readFile } from 'node:fs/promises';
import { Value } from 'typebox/value';
import { RunDescription, WaitDescription } from '../common/api/runner.ts';
import { AmbientError, messageOf } from '../common/errors.ts';

/** Throws AmbientError `invalid` with the first fields that do not fit. */
export async function readSessionFile(path: string): Promise<RunDescription | WaitDescription> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new AmbientError('invalid', `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  const described = Value.Check(WaitDescription, parsed) ? parsed : runIn(parsed, path);
  const { url } = described.endpoint;
  if (!URL.canParse(url) || new URL(url).protocol !== 'https:')
    throw new AmbientError('invalid', `${path}: endpoint.url must be an https URL`);
  return described;
}

function runIn(parsed: unknown, path: string): RunDescription {
  if (!Value.Check(RunDescription, parsed)) {
    const problems = Value.Errors(RunDescription, parsed)
      .slice(0, 5)
      .map(({ instancePath, message }) => `${instancePath || '/'} ${message}`);
    throw new AmbientError('invalid', `${path} does not describe a run: ${problems.join('; ')}`);
  }
  return parsed;
}

/** As readSessionFile, of a pod that was made for its session. */
export async function readRunDescription(path: string): Promise<RunDescription> {
  const described = await readSessionFile(path);
  if ('waits' in described) throw new AmbientError('invalid', `${path} does not describe a run yet`);
  return described;
}
