/** After the command: the patch, the artifacts, the last records, the result. */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { CHANGES_PATCH, MEMORY_ARCHIVE, RUNNER_PATHS } from '../common/api/runner.ts';
import type { RunResult } from '../common/api/runner.ts';
import { messageOf } from '../common/errors.ts';
import { collectArtifacts } from './artifacts/collect.ts';
import type { SkippedFile } from './artifacts/walk.ts';
import type { ArtifactFile } from './artifacts/upload.ts';
import type { Baseline } from './baseline.ts';
import { EndpointError, isStorageFull } from './endpoint.ts';
import type { Endpoint } from './endpoint.ts';
import type { Locations } from './locations.ts';
import { packMemory } from './memory.ts';
import { withLoss } from './outcome.ts';
import type { Ending } from './outcome.ts';
import type { Recorder } from './records.ts';
import type { Sender } from './sender.ts';
import { bytes } from './workspace.ts';

const PATCH_MS = 10 * 60_000;
const SKIPPED_NAMED = 20;
const SKIPPED_MAX = 100;
/** Kubernetes keeps as much of a termination message. */
const TERMINATION_BYTES_MAX = 4096;

export interface HandInOptions {
  endpoint: Endpoint;
  recorder: Recorder;
  sender: Sender;
  locations: Locations;
  scratch: string;
  /** How long a store that is full is waited for. */
  fullStoreMs: number;
  /** Aborts when nothing can be handed in any more. */
  signal: AbortSignal;
}

/** What there is after the command. */
export interface Work {
  ending: Ending;
  /** Of the source, before the command changed it. */
  baseline?: Baseline;
  /** Folder of what its agent remembers. */
  memory?: string;
}

/** Uploads the patch and the artifacts. Rejects only when the operator refuses this runner or the signal aborts. */
export async function handInFiles(
  { ending, baseline, memory }: Work,
  options: HandInOptions,
): Promise<{ ending: Ending; skipped: SkippedFile[]; patchBytes?: number }> {
  const { recorder, locations, signal } = options;
  const patch = await makePatch(baseline, options);
  const remembered = memory === undefined ? undefined : await makeMemory(memory, options);
  const collected = await collectArtifacts({
    endpoint: options.endpoint,
    artifacts: locations.artifacts,
    workspace: locations.workspace,
    reserved: new Set([MEMORY_ARCHIVE, ...(patch.artifact ? [CHANGES_PATCH] : [])]),
    extra: [patch.artifact, remembered].filter((artifact) => artifact !== undefined),
    signal,
  });
  const skipped = [...patch.skipped, ...collected.skipped];
  for (const { path, reason } of skipped.slice(0, SKIPPED_NAMED))
    recorder.status(`not kept: ${JSON.stringify(path)}: ${reason}`, { name: 'artifacts' });
  if (skipped.length > SKIPPED_NAMED)
    recorder.status(`not kept: ${skipped.length - SKIPPED_NAMED} more`, { name: 'artifacts' });
  recorder.status(`uploaded ${collected.files} artifacts (${bytes(collected.bytes)})`, {
    name: 'artifacts',
    data: { count: collected.files, bytes: collected.bytes, skipped: skipped.length },
  });
  if (!collected.incomplete) return { ending, skipped };
  const loss =
    collected.storageFull === undefined
      ? 'Not all artifacts could be kept.'
      : `The artifact store is full: only ${collected.files} artifacts were kept.`;
  recorder.error(loss, { name: 'artifacts' });
  return { ending: withLoss(ending, loss), skipped };
}

async function makePatch(
  baseline: Baseline | undefined,
  { recorder, scratch, signal }: HandInOptions,
): Promise<{ artifact?: ArtifactFile; skipped: SkippedFile[] }> {
  if (baseline === undefined) return { skipped: [] };
  const file = join(scratch, CHANGES_PATCH);
  try {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(PATCH_MS)]);
    const { changed, skipped } = await baseline.patch(file, limited);
    if (!changed) return { skipped };
    return { artifact: { file, path: CHANGES_PATCH, type: 'output', contentType: 'text/x-patch' }, skipped };
  } catch (error) {
    signal.throwIfAborted();
    recorder.error(`${CHANGES_PATCH} could not be made: ${messageOf(error)}`, { name: 'artifacts' });
    return { skipped: [{ path: CHANGES_PATCH, reason: messageOf(error) }] };
  }
}

/** Without it a session that goes on from this one is told what was said in words. */
async function makeMemory(
  memory: string,
  { recorder, scratch, signal }: HandInOptions,
): Promise<ArtifactFile | undefined> {
  try {
    return await packMemory(memory, scratch, signal);
  } catch (error) {
    signal.throwIfAborted();
    recorder.status(`what the agent remembers is not kept: ${messageOf(error)}`, { name: 'artifacts' });
    return undefined;
  }
}

/** Waits until every record is stored. Returns why not, when it gives up. */
export async function handInRecords({
  sender,
  fullStoreMs,
  signal,
}: HandInOptions): Promise<string | undefined> {
  if (await sender.drained(AbortSignal.any([signal, AbortSignal.timeout(fullStoreMs)]))) return undefined;
  if (isStorageFull(sender.trouble))
    return `The end of the log could not be stored: ${sender.trouble.message}.`;
  return (await sender.drained(signal)) ? undefined : 'The end of the log could not be sent in time.';
}

/** Posts the result until it is taken. Rejects when that is final or the signal aborts. */
export async function handInResult(result: RunResult, { endpoint, signal }: HandInOptions): Promise<void> {
  const body = Buffer.from(JSON.stringify(result));
  let sentBefore = false;
  try {
    await endpoint.callPatiently(
      {
        method: 'POST',
        path: RUNNER_PATHS.result,
        headers: { 'content-type': 'application/json', 'content-length': body.length },
        body,
        signal,
      },
      () => (sentBefore = true),
    );
  } catch (error) {
    // an earlier attempt arrived although its answer did not
    if (!(sentBefore && error instanceof EndpointError && error.status === 409)) throw error;
  }
}

/** Leaves the result where the kubelet finds it. Not everywhere there is such a place. */
export async function leaveTerminationMessage(result: RunResult, file: string): Promise<void> {
  const { skippedArtifacts: _, ...brief } = result;
  let text = JSON.stringify(brief);
  if (Buffer.byteLength(text) > TERMINATION_BYTES_MAX)
    text = JSON.stringify({ ...brief, message: brief.message.slice(0, 600) });
  try {
    // the kubelet mounts it; where it is not, none is made
    await using handle = await open(file, 'r+');
    await handle.truncate();
    await handle.writeFile(text);
  } catch {
    // nobody to tell
  }
}

/** As many as a result may carry. */
export function skippedInResult(skipped: readonly SkippedFile[]): Pick<RunResult, 'skippedArtifacts'> {
  if (skipped.length === 0) return {};
  const shortened = skipped
    .slice(0, skipped.length > SKIPPED_MAX ? SKIPPED_MAX - 1 : SKIPPED_MAX)
    .map(({ path, reason }) => ({ path: path.slice(0, 1024), reason: reason.slice(0, 512) }));
  if (skipped.length > SKIPPED_MAX)
    shortened.push({ path: '…', reason: `and ${skipped.length - shortened.length} more` });
  return { skippedArtifacts: shortened };
}
