/** Verifies chains against each other and against published heads. Reads only; the operator need not run. */
import { ChainVerifier } from '../../../common/rules/audit-chain.ts';
import type { Verdict } from '../../../common/rules/audit-chain.ts';
import { isAmbientError } from '../../../common/errors.ts';
import type { ArtifactStore } from '../../store/store.ts';
import { sha256 } from './chain.ts';
import type { ChainHeadOf } from './marks.ts';
import { AUDIT_RESOURCE, earlierIn, restingIn, trimIn } from './marks.ts';
import type { PublishedHead, TrimMark } from './marks.ts';
import { auditedNamespaces, chainLines, recordIn, writersOf } from './segments.ts';

export type ChainReport = { namespace: string; writer: string; isPublished: boolean } & (
  Verdict | { ok: false; seq: number; tampering: 'chain missing' | 'damaged'; message: string }
);

/**
 * Every chain of the given namespaces (default: all that have records or heads), one report each. `heads` undefined: chains
 * are held only against what they say of each other. Throws what the store throws, but for objects that are damaged.
 */
export async function* verifyStore(
  store: ArtifactStore,
  heads: readonly ChainHeadOf[] | undefined,
  { only, operatorNamespace }: { only?: readonly string[] | undefined; operatorNamespace: string },
): AsyncGenerator<ChainReport, void, undefined> {
  // The operator's own chains say something of those of others too.
  const writers = await writersOf(store, operatorNamespace);
  const { resting, trims } = await vouchedIn(store, operatorNamespace, writers);
  const named = [...(heads ?? []), ...resting].map(({ namespace }) => namespace);
  const known = [...(await auditedNamespaces(store)), ...named];
  const namespaces = only ?? [...new Set(known)].sort();
  for (const namespace of namespaces) {
    const isIts = (head: ChainHeadOf): boolean => head.namespace === namespace;
    yield* verifyNamespace(store, namespace, {
      published: (heads ?? []).filter(isIts),
      resting: resting.filter(isIts),
      trims: namespace === operatorNamespace ? [] : trims.filter(({ of }) => of === namespace),
    });
  }
}

type Trim = TrimMark & { of: string };

/** What the chains of a namespace say of each other, and of those of other namespaces. */
interface Vouched {
  earlier: PublishedHead[];
  trims: Trim[];
  resting: ChainHeadOf[];
}

async function* verifyNamespace(
  store: ArtifactStore,
  namespace: string,
  told: { published: readonly PublishedHead[]; resting: readonly PublishedHead[]; trims: readonly Trim[] },
): AsyncGenerator<ChainReport, void, undefined> {
  const writers = await writersOf(store, namespace);
  const { published } = told;
  const vouched = await vouchedIn(store, namespace, writers);
  const trims = [...told.trims, ...vouched.trims.filter(({ of }) => of === namespace)];
  const through = trims.flatMap((trim) => trim.through);
  const of = (list: readonly PublishedHead[], writer: string) =>
    list.filter((each) => each.writer === writer);
  const heads = [...published, ...told.resting, ...vouched.earlier];
  for (const writer of writers) {
    const verifier = new ChainVerifier(
      { namespace, writer, heads: of(heads, writer), trims: of(through, writer) },
      sha256,
    );
    const about = { namespace, writer, isPublished: of(published, writer).length > 0 };
    try {
      for await (const line of chainLines(store, { namespace, writer })) verifier.add(line);
      yield { ...about, ...verifier.end() };
    } catch (error) {
      if (!isAmbientError(error, 'storage_unavailable')) throw error;
      yield { ...about, ok: false, seq: verifier.next, tampering: 'damaged', message: error.message };
    }
  }
  // Retention has removed what is older than that, and wrote so; the newest trim need not name every old chain again.
  const limit =
    trims
      .map(({ before }) => before)
      .sort()
      .at(-1) ?? '';
  const missing = heads.filter(({ writer, at }) => !writers.includes(writer) && at >= limit);
  for (const writer of new Set(missing.map((head) => head.writer))) {
    if (of(through, writer).some(({ seq }) => of(missing, writer).every((head) => head.seq <= seq))) continue;
    const seq = Math.max(...of(missing, writer).map((head) => head.seq));
    const message = `no record is there of a chain that had reached record ${seq}`;
    yield {
      ...{ namespace, writer, isPublished: of(published, writer).length > 0 },
      ...{ ok: false, seq: 1, tampering: 'chain missing', message },
    };
  }
}

async function vouchedIn(
  store: ArtifactStore,
  namespace: string,
  writers: readonly string[],
): Promise<Vouched> {
  const vouched: Vouched = { earlier: [], trims: [], resting: [] };
  for (const writer of writers)
    try {
      for await (const line of chainLines(store, { namespace, writer })) {
        if (!line.includes(`"resource":"${AUDIT_RESOURCE}"`)) continue;
        const record = recordIn(line);
        if (record === undefined) continue;
        vouched.earlier.push(...earlierIn(record));
        vouched.resting.push(...restingIn(record));
        const trim = trimIn(record);
        if (trim !== undefined) vouched.trims.push(trim);
      }
    } catch (error) {
      // Told by the pass that verifies.
      if (!isAmbientError(error, 'storage_unavailable')) throw error;
    }
  return vouched;
}
