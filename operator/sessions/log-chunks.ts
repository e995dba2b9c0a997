/** Chunks of a log in the store: reading them in order, whatever overlaps, and merging many small ones into few. */
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { AmbientError, isAmbientError } from '../../common/errors.ts';
import { keys } from '../store/keys.ts';
import type { ChunkRange, SessionRef } from '../store/keys.ts';
import type { ArtifactStore } from '../store/store.ts';

export const LOG_CONTENT_TYPE = 'application/x-ndjson';

/** Lines of NDJSON without their line ends; the first one is number `first`. */
export interface LogLines {
  first: number;
  lines: string[];
}

/** A listing made while files come and go may lack one; a later listing has it. */
const GAP_RETRIES = 5;
const GAP_RETRY_MS = 100;

export async function listChunks(store: ArtifactStore, ref: SessionRef, since = 0): Promise<ChunkRange[]> {
  const found = await store.listKeys(keys.log(ref), keys.logAfter(ref, since));
  return found.flatMap((key) => keys.parseLogChunk(key) ?? []);
}

/**
 * The fewest of the chunks that hold every record after `since`, in order and without a gap. Ends where a record is
 * missing; `missing` is its number when there are later ones.
 */
export function coverOf(
  chunks: readonly ChunkRange[],
  since: number,
): { cover: ChunkRange[]; missing?: number } {
  const sorted = chunks.filter(({ last }) => last > since).sort((a, b) => a.first - b.first);
  const cover: ChunkRange[] = [];
  let end = since;
  let index = 0;
  while (index < sorted.length) {
    let best: ChunkRange | undefined;
    for (let next = sorted[index]; next !== undefined && next.first <= end + 1; next = sorted[++index]) {
      if (next.last > (best?.last ?? end)) best = next;
    }
    if (best === undefined) return { cover, missing: end + 1 };
    cover.push(best);
    end = best.last;
    while ((sorted[index]?.last ?? Infinity) <= end) index++;
  }
  return { cover };
}

/** The number of the last record stored together with all before it. */
export async function lastStored(store: ArtifactStore, ref: SessionRef): Promise<number> {
  return coverOf(await listChunks(store, ref), 0).cover.at(-1)?.last ?? 0;
}

async function readChunk(store: ArtifactStore, ref: SessionRef, chunk: ChunkRange): Promise<string[]> {
  const { body } = await store.get(keys.logChunk(ref, chunk));
  const lines = (await text(body)).split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (lines.length !== chunk.last - chunk.first + 1) {
    throw new AmbientError(
      'storage_unavailable',
      `records ${chunk.first} to ${chunk.last} of the log are damaged`,
    );
  }
  return lines;
}

/** Every stored record after `since`, a chunk at a time, each record once. */
export async function* readLog(
  store: ArtifactStore,
  ref: SessionRef,
  since: number,
): AsyncGenerator<LogLines, void, undefined> {
  let cursor = since;
  for (let retries = 0; ;) {
    const chunks = await listChunks(store, ref, cursor);
    const { cover, missing } = coverOf(chunks, cursor);
    let vanished = false;
    for (const chunk of cover) {
      let lines: string[];
      try {
        lines = await readChunk(store, ref, chunk);
      } catch (error) {
        if (!isAmbientError(error, 'not_found')) throw error;
        // Merged into another chunk since it was listed.
        vanished = true;
        break;
      }
      const skip = cursor + 1 - chunk.first;
      yield { first: cursor + 1, lines: skip === 0 ? lines : lines.slice(skip) };
      cursor = chunk.last;
      retries = 0;
    }
    if (!vanished && missing === undefined) return;
    if (++retries <= GAP_RETRIES) {
      await delay(GAP_RETRY_MS);
    } else if (vanished || missing === undefined) {
      throw new AmbientError('storage_unavailable', `record ${cursor + 1} of the log cannot be read`);
    } else {
      // What is left is worth more than nothing.
      cursor = Math.min(...chunks.filter(({ first }) => first > missing).map(({ first }) => first)) - 1;
      retries = 0;
    }
  }
}

/** Merges chunks into ones of about `bytes`; those that are half as large already stay. Safe beside readers and writers. */
export async function mergeChunks(store: ArtifactStore, ref: SessionRef, bytes: number): Promise<void> {
  const chunks = await listChunks(store, ref);
  const { cover } = coverOf(chunks, 0);
  const kept = new Set<string>();
  let group: ChunkRange[] = [];
  let lines: string[] = [];
  let size = 0;
  const flush = async (): Promise<void> => {
    const range = { first: group[0]?.first ?? 0, last: group.at(-1)?.last ?? 0 };
    if (group.length > 1) {
      // Overlapping neighbours are cut where the next one begins, so the group is without doubles.
      await store.put(keys.logChunk(ref, range), Buffer.from(`${lines.join('\n')}\n`), {
        contentType: LOG_CONTENT_TYPE,
      });
    }
    if (group.length > 0) kept.add(keys.logChunk(ref, range));
    [group, lines, size] = [[], [], 0];
  };
  for (const chunk of cover) {
    const info = await store.stat(keys.logChunk(ref, chunk));
    // Somebody else merges: theirs is as good.
    if (info === undefined) return;
    if (info.size * 2 >= bytes) {
      await flush();
      kept.add(keys.logChunk(ref, chunk));
      continue;
    }
    if (size + info.size > bytes) await flush();
    const more = await readChunk(store, ref, chunk);
    const previous = group.at(-1)?.last;
    lines.push(...(previous === undefined ? more : more.slice(previous + 1 - chunk.first)));
    group.push(chunk);
    size += info.size;
  }
  await flush();
  const end = cover.at(-1)?.last ?? 0;
  for (const chunk of chunks) {
    const key = keys.logChunk(ref, chunk);
    if (chunk.last <= end && !kept.has(key)) await store.remove(key);
  }
}
