/** At the start of an operator: does the store hold what was published? It may be another store, or one that was meddled with. */
import type { ArtifactStore } from '../../store/store.ts';
import type { ChainHeadOf } from './heads.ts';
import type { PublishedHead } from './marks.ts';
import { linesOf, recordIn, segmentsOf } from './segments.ts';

export interface Lack {
  namespace: string;
  writer: string;
  seq: number;
  what: 'chain missing' | 'truncated' | 'another record';
}

export interface Survey {
  lacks: Lack[];
  /** Chains that have grown beyond what was published, as when their writer was killed. */
  beyond: ChainHeadOf[];
}

/** Throws what the store throws. */
export async function surveyHeads(
  store: ArtifactStore,
  heads: readonly ChainHeadOf[],
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
  return survey;
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
  const last = recordIn((await linesOf(store, segments.at(-1)?.key ?? '')).at(-1));
  if (last === undefined || last.seq <= head.seq) return undefined;
  return { writer: head.writer, seq: last.seq, hash: last.hash, at: last.timestamp };
}
