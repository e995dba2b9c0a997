/** Retention of audit records: whole old segments go, and a record of the trim lets what is left be verified. */
import { keys } from '../../store/keys.ts';
import type { ArtifactStore, ObjectInfo } from '../../store/store.ts';
import { trimMark } from './marks.ts';
import type { PublishedHead } from './marks.ts';
import { linesOf, recordIn, writersOf } from './segments.ts';
import type { ChainedAudit, HeadBoard } from './trail.ts';

export interface TrimOptions {
  store: ArtifactStore;
  audit: ChainedAudit;
  board: Pick<HeadBoard, 'gone'>;
  /** Where it is recorded that nothing is left of a namespace. */
  operatorNamespace: string;
}

interface OldPart {
  writer: string;
  old: ObjectInfo[];
  /** The last record that goes, or that went before. */
  through: PublishedHead | undefined;
  isWhole: boolean;
}

/**
 * Removes the segments of a namespace to which nothing was written since `before`; how many those were. The trim is recorded
 * first, so that a crash half-way leaves chains that are whole. Throws audit_unavailable, and what the store throws.
 */
export async function trimAudit(
  { store, audit, board, operatorNamespace }: TrimOptions,
  namespace: string,
  before: Date,
): Promise<number> {
  const parts: OldPart[] = [];
  for (const writer of await writersOf(store, namespace)) {
    const open = writer === audit.writer ? audit.openSegment(namespace) : undefined;
    parts.push(await oldPartOf(store, { namespace, writer }, before, open));
  }
  const count = parts.reduce((sum, { old }) => sum + old.length, 0);
  if (count === 0) return 0;
  const isNothingLeft = parts.every(({ isWhole }) => isWhole);
  const through = parts.flatMap((part) => (part.through === undefined ? [] : [part.through]));
  const trim = { before: before.toISOString(), through };
  await audit.mark(trimMark(isNothingLeft ? operatorNamespace : namespace, trim, namespace));
  for (const { writer, old, isWhole } of parts) {
    for (const { key } of old) await store.remove(key);
    // Gone as a whole, unless something was written to it meanwhile.
    const ref = { namespace, writer };
    if (!isWhole || (await store.listKeys(keys.auditChain(ref))).length > 0) continue;
    await store.remove(keys.auditChain(ref));
    if (writer === audit.writer) audit.forget(namespace);
    board.gone(ref);
  }
  // Its empty folder too.
  const rest = isNothingLeft ? await store.listKeys(keys.auditNamespace(namespace)) : undefined;
  if (rest?.length === 0) await store.remove(keys.auditNamespace(namespace));
  return count;
}

async function oldPartOf(
  store: ArtifactStore,
  ref: { namespace: string; writer: string },
  before: Date,
  open: number | undefined,
): Promise<OldPart> {
  const infos: ObjectInfo[] = [];
  for await (const info of store.list(keys.auditChain(ref))) infos.push(info);
  const kept = infos.findIndex(
    ({ key, createdAt }) => createdAt >= before || keys.parseAuditSegment(key) === open,
  );
  const old = kept < 0 ? infos : infos.slice(0, kept);
  const { writer } = ref;
  const last = old.at(-1);
  if (last !== undefined) {
    const record = recordIn((await linesOf(store, last.key)).at(-1));
    const through = record && { writer, seq: record.seq, hash: record.hash, at: record.timestamp };
    return { writer, old, through, isWhole: kept < 0 && infos.length > 0 };
  }
  const first = recordIn((await linesOf(store, infos[0]?.key ?? keys.auditSegment(ref, 1)))[0]);
  const through =
    first === undefined || first.seq === 1
      ? undefined
      : { writer, seq: first.seq - 1, hash: first.previous, at: first.timestamp };
  return { writer, old, through, isWhole: false };
}
