/** How the source came, from the container that had the credentials to the one that can report. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HANDED_SOURCE } from '../../common/api/runner.ts';
import { messageOf } from '../../common/errors.ts';
import type { Locations } from '../locations.ts';
import { SourceError } from './source-error.ts';

export interface HandedSource {
  commit?: string | undefined;
  /** What went wrong. */
  problem?: string;
}

type Places = Pick<Locations, 'temporary'>;

export const handSource = (places: Places, handed: HandedSource): Promise<void> =>
  writeFile(join(places.temporary, HANDED_SOURCE), JSON.stringify(handed));

/** Once, before the command runs: afterwards anybody could have written it. Throws SourceError. */
export async function takeHandedSource(places: Places): Promise<HandedSource> {
  const file = join(places.temporary, HANDED_SOURCE);
  let handed: HandedSource;
  try {
    handed = JSON.parse(await readFile(file, 'utf8')) as HandedSource;
    await rm(file);
  } catch (error) {
    throw new SourceError(`nobody has brought the source: ${messageOf(error)}`);
  }
  if (handed.problem !== undefined) throw new SourceError(handed.problem);
  return handed;
}
