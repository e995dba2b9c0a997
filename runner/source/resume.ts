/**
 * What a session goes on from: the changes of another one, laid over its source, the log of that one in a file, and what its
 * agent remembers.
 */
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CHANGES_PATCH, MEMORY_BYTES_MAX, RUNNER_PATHS } from '../../common/api/runner.ts';
import { messageOf } from '../../common/errors.ts';
import { EndpointError } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { git, GitError } from '../git-process.ts';
import type { GitOptions } from '../git-process.ts';
import { unpackMemory } from '../memory.ts';
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
  /** Empty folder for what the other's agent remembers; undefined where a command has none. */
  memory: string | undefined;
  git: GitOptions;
}

export interface ResumedFrom {
  /** There was something to lay over the source. */
  hasChanges: boolean;
  /** The other's log; undefined when it is not kept any more. */
  log: string | undefined;
  /** What its agent remembers is there. */
  remembers: boolean;
  /** Why what it remembers cannot be used. */
  memoryTrouble?: string;
}

/** Throws SourceError when the changes do not fit the source; refusals by the operator pass through. */
export async function bringResumed({
  endpoint,
  session,
  scratch,
  temporary,
  memory,
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
  const remembered = memory === undefined ? {} : await bringMemory(endpoint, memory, scratch, options.signal);
  return { hasChanges, log: hasLog ? log : undefined, remembers: false, ...remembered };
}

/** One that is no good is as good as none: the log tells the same in words. */
async function bringMemory(
  endpoint: Endpoint,
  folder: string,
  scratch: string,
  signal: AbortSignal,
): Promise<Pick<ResumedFrom, 'remembers' | 'memoryTrouble'>> {
  const archive = join(scratch, 'resumed-memory.tar.gz');
  // One byte more than there may be: then it is damaged.
  if (!(await fetchFile(endpoint, 'memory', archive, signal, MEMORY_BYTES_MAX + 1)))
    return { remembers: false };
  try {
    await unpackMemory(await readFile(archive), folder);
    return { remembers: true };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder);
    return { remembers: false, memoryTrouble: messageOf(error) };
  } finally {
    await rm(archive, { force: true });
  }
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
