/** History in status: appended to by everyone the same way, trimmed from the front when full, never lost. */
import { HISTORY_KEEP, HISTORY_MAX } from '../../common/api/session.ts';
import type { HistoryEntry, Session } from '../../common/api/session.ts';
import { keys, refOf } from '../store/keys.ts';
import type { ArtifactStore } from '../store/store.ts';

/** An entry before it has a number. */
export type NewEntry = Omit<HistoryEntry, 'seq'>;

export interface Appended {
  history: HistoryEntry[];
  /** No longer in `history`: to be stored before `history` is written. */
  archive: HistoryEntry[];
}

/**
 * The history with entries appended. The API server lets the front go only when the list is full, and only down to
 * HISTORY_KEEP (common/api/session.ts). Entries that exceed what is left of a list not yet full are kept inside the last one
 * that fits, as `data.also`.
 */
export function appendHistory(
  history: readonly HistoryEntry[] | undefined,
  entries: readonly NewEntry[],
): Appended {
  const old = history ?? [];
  const isFull = old.length >= HISTORY_MAX;
  const kept = isFull && entries.length > 0 ? old.slice(-HISTORY_KEEP) : old;
  const archive = old.slice(0, old.length - kept.length);
  const next = (old.at(-1)?.seq ?? 0) + 1;
  const added = folded(entries, HISTORY_MAX - kept.length).map((entry, index) => ({
    seq: next + index,
    ...entry,
  }));
  return { history: [...kept, ...added], archive };
}

function folded(entries: readonly NewEntry[], room: number): readonly NewEntry[] {
  if (entries.length <= room) return entries;
  const last = entries[entries.length - 1];
  if (last === undefined) return entries;
  const also = entries.slice(room - 1, -1);
  return [...entries.slice(0, room - 1), { ...last, data: { ...last.data, also } }];
}

/** Stores what a trim takes away. Repeating it after a crash or a lost race does no harm. */
export async function archiveHistory(
  store: ArtifactStore,
  session: Session,
  archive: readonly HistoryEntry[],
): Promise<void> {
  const [first] = archive;
  if (first === undefined) return;
  await store.put(keys.history(refOf(session), first.seq), Buffer.from(JSON.stringify(archive)), {
    contentType: 'application/json',
  });
}

/** Appends, and archives before it returns, so that what comes back may be written. Throws what the store throws. */
export const historyAppender =
  (store: ArtifactStore) =>
  async (session: Session, entries: readonly NewEntry[]): Promise<HistoryEntry[]> => {
    const { history, archive } = appendHistory(session.status?.history, entries);
    await archiveHistory(store, session, archive);
    return history;
  };
