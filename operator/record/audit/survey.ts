/** At the start of an operator: does the store hold what was published? It may be another store, or one that was meddled with. */
import type { ChainRef } from '../../store/keys.ts';
import type { ArtifactStore } from '../../store/store.ts';
import type { ChainHeadOf, PublishedHead } from './marks.ts';
import { auditedNamespaces, linesOf, recordIn, segmentsOf, writersOf } from './segments.ts';

export interface Lack {
  namespace: string;
  writer: string;
  seq: number;
  what: 'chain missing' | 'truncated' | 'another record';
}

export interface Survey {
  lacks: Lack[];
  /** Chains that have grown beyond what was published, or were not published at all, as when their writer was killed. */
  beyond: ChainHeadOf[];
}

/** Chains nobody has published are looked at when something was written to them after `since`. Throws what the store throws. */
export async function surveyHeads(
  store: ArtifactStore,
  heads: readonly ChainHeadOf[],
  since: Date,
  signal?: AbortSignal,
): Promise<Survey> {
  const survey: Survey = { lacks: [], beyond: [] };
  for (const head of heads) {
    signal?.throwIfAborted();
    const lack = (what: Lack['what']): void => {
      const { namespace, writer, seq } = head;
      survey.lacks.push({ namespace, writer, seq, what });
    };
    const found = await look(store, head);
    if (typeof found === 'string') lack(found);
    else if (found !== undefined) survey.beyond.push({ ...head, ...found });
  }
  const known = new Set(heads.map(({ namespace, writer }) => `${namespace}/${writer}`));
  for (const namespace of await auditedNamespaces(store))
    for (const writer of await writersOf(store, namespace)) {
      signal?.throwIfAborted();
      if (known.has(`${namespace}/${writer}`)) continue;
      const head = await recentHead(store, { namespace, writer }, since);
      if (head !== undefined) survey.beyond.push({ namespace, ...head });
    }
  return survey;
}

async function recentHead(
  store: ArtifactStore,
  ref: ChainRef,
  since: Date,
): Promise<PublishedHead | undefined> {
  const key = (await segmentsOf(store, ref)).at(-1)?.key;
  const info = key === undefined ? undefined : await store.stat(key);
  return info === undefined || info.createdAt < since ? undefined : await lastIn(store, ref.writer, info.key);
}

async function lastIn(store: ArtifactStore, writer: string, key: string): Promise<PublishedHead | undefined> {
  const last = recordIn((await linesOf(store, key)).at(-1));
  return last && { writer, seq: last.seq, hash: last.hash, at: last.timestamp };
}

/** What is wrong, or the newest head when it is another than the published one. */
async function look(
  store: ArtifactStore,
  head: ChainHeadOf,
): Promise<Lack['what'] | PublishedHead | undefined> {
  const segments = await segmentsOf(store, head);
  if (segments.length === 0) return 'chain missing';
  const holder = segments.findLast(({ first }) => first <= head.seq);
  // Trimmed: whether rightly, a verifier tells.
  if (holder !== undefined) {
    const records = (await linesOf(store, holder.key)).map(recordIn);
    const record = records.find((each) => each?.seq === head.seq);
    if (record === undefined) return 'truncated';
    if (record.hash !== head.hash) return 'another record';
  }
  const last = await lastIn(store, head.writer, segments.at(-1)?.key ?? '');
  return last === undefined || last.seq <= head.seq ? undefined : last;
}
