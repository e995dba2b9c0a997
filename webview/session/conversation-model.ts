/** The part of a conversation that the page holds: the end, and what was asked for before it. Pure. */
import type { ConversationEntry, ConversationUpdate } from '../../common/api/panels.ts';

export interface ConversationModel extends Omit<ConversationUpdate, 'reset'> {
  /** Without a gap, in order. */
  entries: ConversationEntry[];
}

/** Entries drawn while the reader is at the end: more would make every new one slower to draw. */
const HELD = 400;

export const NO_CONVERSATION: ConversationModel = {
  entries: [],
  first: 0,
  hasTalk: false,
  heard: 0,
  changes: [],
  moreChanges: 0,
};

/** `isAtEnd`: what is far above is not being read, and can be asked for again. */
export function updated(
  model: ConversationModel,
  { reset, entries, ...rest }: ConversationUpdate,
  isAtEnd: boolean,
): ConversationModel {
  const kept = reset ? [...entries] : joined(model.entries, entries);
  return { ...rest, entries: isAtEnd && kept.length > HELD ? kept.slice(-HELD / 2) : kept };
}

/** So many could be asked for before those that are held. */
export const earlierThan = ({ entries: [entry], first }: ConversationModel): number =>
  entry === undefined ? 0 : Math.max(0, entry.index - first);

function joined(held: readonly ConversationEntry[], news: readonly ConversationEntry[]): ConversationEntry[] {
  const [start] = held;
  const last = news.at(-1);
  if (start === undefined) return [...news];
  if (last === undefined) return [...held];
  if (last.index === start.index - 1) return [...news, ...held];
  const all = [...held];
  for (const entry of news) {
    const at = entry.index - start.index;
    // Before what is held it is not shown; behind a gap it cannot be, as the page begins anew then.
    if (at >= 0 && at <= all.length) all[at] = entry;
  }
  return all;
}
