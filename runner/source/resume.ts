/** What a session goes on from: the changes of another one, laid over its source, and the log of that one in a file. */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CHANGES_PATCH, RUNNER_PATHS } from '../../common/api/runner.ts';
import { EndpointError } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { git, GitError } from '../git-process.ts';
import type { GitOptions } from '../git-process.ts';
import { SourceError } from './source-error.ts';

/** Of the other session's log: an agent has no use for more. */
const LOG_BYTES_MAX = 32 * 1024 * 1024;

export interface ResumeOptions {
  endpoint: Endpoint;
  /** Name of the other session, for people. */
  session: string;
  /** Private folder of the runner. */
  scratch: string;
  /** Folder that the command can read. */
  temporary: string;
  git: GitOptions;
}

export interface ResumedFrom {
  /** There was something to lay over the source. */
  hasChanges: boolean;
  /** The other's log; undefined when it is not kept any more. */
  log: string | undefined;
}

/** Throws SourceError when the changes do not fit the source; refusals by the operator pass through. */
export async function bringResumed({
  endpoint,
  session,
  scratch,
  temporary,
  git: options,
}: ResumeOptions): Promise<ResumedFrom> {
  const patch = join(scratch, 'resumed.patch');
  const hasChanges = await fetchFile(endpoint, CHANGES_PATCH, patch, options.signal);
  if (hasChanges)
    try {
      await git(['apply', '--binary', '--whitespace=nowarn', patch], options);
    } catch (error) {
      if (!(error instanceof GitError)) throw error;
      throw new SourceError(
        `the changes of session ${session} do not fit its source any more: ${error.message}`,
        {
          cause: error,
        },
      );
    }
  const log = join(temporary, 'resumed.ndjson');
  const hasLog = await fetchFile(endpoint, 'log', log, options.signal, LOG_BYTES_MAX);
  return { hasChanges, log: hasLog ? log : undefined };
}

/** False when there is none. */
async function fetchFile(
  endpoint: Endpoint,
  name: string,
  path: string,
  signal: AbortSignal,
  most = Infinity,
): Promise<boolean> {
  try {
    await endpoint.patiently(signal, async () => {
      const response = await endpoint.open({ method: 'GET', path: `${RUNNER_PATHS.resume}/${name}`, signal });
      await pipeline(response, firstBytes(most), createWriteStream(path, { mode: 0o644 }), { signal });
    });
    return true;
  } catch (error) {
    if (error instanceof EndpointError && error.status === 404) return false;
    throw error;
  }
}

/** The rest is read and dropped, so that the answer ends as it should. */
function firstBytes(most: number): Transform {
  let left = most;
  return new Transform({
    transform(chunk: Buffer, _, done) {
      const part = chunk.subarray(0, left);
      left -= part.length;
      done(null, part);
    },
  });
}
