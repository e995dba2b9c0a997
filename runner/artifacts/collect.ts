/** Uploads everything below /artifacts, a few files at a time, and says what was left out and why. */
import { messageOf } from '../../common/errors.ts';
import { EndpointError, isRefused, isStorageFull } from '../endpoint.ts';
import type { Endpoint } from '../endpoint.ts';
import { FileChanged, uploadArtifact } from './upload.ts';
import type { ArtifactFile } from './upload.ts';
import { walk } from './walk.ts';
import type { SkippedFile } from './walk.ts';

export const FILES_MAX = 10_000;
const AT_ONCE = 4;

export interface Collected {
  files: number;
  bytes: number;
  skipped: SkippedFile[];
  /** Why the store took no more, when it did not. */
  storageFull?: string;
  /** Some file that should have been kept was not, for a reason outside the command. */
  incomplete: boolean;
}

export interface CollectOptions {
  endpoint: Endpoint;
  artifacts: string;
  workspace: string;
  /** Paths that the runner itself makes. */
  reserved: ReadonlySet<string>;
  /** Sent after everything else. */
  extra: readonly ArtifactFile[];
  signal: AbortSignal;
  filesMax?: number;
}

/** Rejects only when the operator refuses this runner or the signal aborts. */
export async function collectArtifacts(options: CollectOptions): Promise<Collected> {
  const result: Collected = { files: 0, bytes: 0, skipped: [], incomplete: false };
  const found = walk({
    root: options.artifacts,
    linkRoots: [options.workspace],
    filesMax: options.filesMax ?? FILES_MAX,
  });

  const send = async (artifact: ArtifactFile): Promise<void> => {
    try {
      const bytes = await twice(() => uploadArtifact(options.endpoint, artifact, options.signal));
      result.files++;
      result.bytes += bytes;
    } catch (error) {
      if (isRefused(error) || options.signal.aborted) throw error;
      if (isStorageFull(error)) result.storageFull ??= error.message;
      if (error instanceof EndpointError) result.incomplete = true;
      result.skipped.push({ path: artifact.path, reason: reasonOf(error) });
    }
  };

  const worker = async (): Promise<void> => {
    while (result.storageFull === undefined) {
      const next = await found.next();
      if (next.done === true) return;
      const { value } = next;
      if ('reason' in value) result.skipped.push(value);
      else if (options.reserved.has(value.path))
        result.skipped.push({ path: value.path, reason: "the runner's own artifact has this name" });
      else await send({ ...value, type: 'output' });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  for (const artifact of options.extra) if (result.storageFull === undefined) await send(artifact);
  return result;
}

/** A file that changed while it was read gets one more chance. */
async function twice<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (error instanceof FileChanged) return attempt();
    throw error;
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof FileChanged) return error.message;
  if (isStorageFull(error)) return `the artifact store is full: ${error.message}`;
  if (error instanceof EndpointError) return `the operator did not take it: ${error.message}`;
  return `cannot be read: ${messageOf(error)}`;
}
