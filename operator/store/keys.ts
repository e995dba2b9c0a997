/** Where a session's data lies in the store. */
import type { Session } from '../../common/api/session.ts';

export interface SessionRef {
  namespace: string;
  uid: string;
}

export const refOf = (session: Session): SessionRef => ({
  namespace: session.metadata.namespace ?? '',
  uid: session.metadata.uid ?? '',
});

const root = ({ namespace, uid }: SessionRef): string => `${namespace}/${uid}/`;

/** Path of the signed statement among a session's artifacts: no agent can write there. */
export const PROVENANCE_ARTIFACT = '.ambient/provenance.intoto.jsonl';

/** Numbers in names are padded so that their order as text is their order as numbers. */
const DIGITS = 12;
const padded = (number: number): string => String(number).padStart(DIGITS, '0');

/** No namespace can have this name, so that audit data is never taken for a session's. */
const AUDIT = '_audit';
/** Likewise. */
const WEBHOOKS = '_webhooks';
/** Likewise. */
const CALLS = '_calls';
/** A chain of audit records: what one process of the operator has recorded in a namespace. */
export interface ChainRef {
  namespace: string;
  writer: string;
}
const chain = ({ namespace, writer }: ChainRef): string => `${AUDIT}/${namespace}/${writer}/`;
const SEGMENT = new RegExp(`/(\\d{${DIGITS}})\\.ndjson$`);
/** A DNS label, as Kubernetes wants it of a namespace. */
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

const CHUNK = new RegExp(`/log/(\\d{${DIGITS}})-(\\d{${DIGITS}})\\.ndjson$`);

const CALLS_OF = new RegExp(`^${CALLS}/([a-z0-9]+)\\.json$`);
const COST = new RegExp(`/cost/([a-z0-9-]+)/(\\d{${DIGITS}})\\.json$`);

/** The records of one chunk, both ends included. */
export interface ChunkRange {
  first: number;
  last: number;
}

export const keys = {
  session: root,
  /** What retention counts as logs and artifacts: all but the history, which belongs to the object. */
  expiring: (ref: SessionRef): string[] =>
    ['log', 'artifacts', 'source', 'result', 'messages'].map((folder) => `${root(ref)}${folder}/`),
  log: (ref: SessionRef): string => `${root(ref)}log/`,
  /**
   * Named by the last number first, so that all with something newer than a given number can be asked for; by both ends,
   * so that no chunk ever takes the place of a longer one that another replica wrote.
   */
  logChunk: (ref: SessionRef, { first, last }: ChunkRange): string =>
    `${root(ref)}log/${padded(last)}-${padded(first)}.ndjson`,
  /** What listing keys after this one leaves: the chunks with records greater than `seq`. */
  logAfter: (ref: SessionRef, seq: number): string => `${root(ref)}log/${padded(seq)}~`,
  /** Undefined for a key that is no log chunk's. */
  parseLogChunk: (key: string): ChunkRange | undefined => {
    const match = CHUNK.exec(key);
    return match === null ? undefined : { first: Number(match[2]), last: Number(match[1]) };
  },
  artifacts: (ref: SessionRef): string => `${root(ref)}artifacts/`,
  artifact: (ref: SessionRef, path: string): string => `${root(ref)}artifacts/${path}`,
  source: (ref: SessionRef): string => `${root(ref)}source/archive.tar.gz`,
  result: (ref: SessionRef): string => `${root(ref)}result/result.json`,
  pushReport: (ref: SessionRef): string => `${root(ref)}result/push.json`,
  /** What was said to a session, by the digest that its status names. */
  message: (ref: SessionRef, digest: string): string => `${root(ref)}messages/${digest}.json`,
  costs: (ref: SessionRef): string => `${root(ref)}cost/`,
  /** Named by the number up to which it counts, so that an older state never takes the place of a newer one. */
  cost: (ref: SessionRef, source: string, seq: number): string =>
    `${root(ref)}cost/${source}/${padded(seq)}.json`,
  /** Undefined for a key that is no cost's. */
  parseCost: (key: string): { source: string; seq: number } | undefined => {
    const match = COST.exec(key);
    return match === null ? undefined : { source: match[1] ?? '', seq: Number(match[2]) };
  },
  /** Which sessions have calls to models under way, one object for each process of the operator that has any. */
  calls: `${CALLS}/`,
  callsOf: (process: string): string => `${CALLS}/${process}.json`,
  /** The process; undefined for a key that is of none. */
  parseCalls: (key: string): string | undefined => CALLS_OF.exec(key)?.[1],
  /** Entries trimmed from status.history, named by the padded number of their first. */
  histories: (ref: SessionRef): string => `${root(ref)}history/`,
  history: (ref: SessionRef, firstSeq: number): string => `${root(ref)}history/${padded(firstSeq)}.json`,

  /** Bodies of webhooks that are not yet known to be anybody's. */
  waitingPayloads: `${WEBHOOKS}/waiting/`,
  waitingPayload: (id: string): string => `${WEBHOOKS}/waiting/${id}`,
  /** Marks of deliveries whose sessions were deleted. */
  spentDeliveries: `${WEBHOOKS}/spent/`,
  spentDelivery: (namespace: string, session: string): string => `${WEBHOOKS}/spent/${namespace}/${session}`,

  /** Whether a folder of the root holds the sessions of a namespace. */
  isNamespace: (folder: string): boolean => NAMESPACE.test(folder),
  /** Its folders are the namespaces with audit records. */
  audit: `${AUDIT}/`,
  /** Its folders are the writers. */
  auditNamespace: (namespace: string): string => `${AUDIT}/${namespace}/`,
  auditChain: chain,
  /** Records of a chain, named by the number of the first. */
  auditSegment: (ref: ChainRef, firstSeq: number): string => `${chain(ref)}${padded(firstSeq)}.ndjson`,
  /** The number of the first record; undefined for a key that is no segment's. */
  parseAuditSegment: (key: string): number | undefined => {
    const match = SEGMENT.exec(key);
    return match === null ? undefined : Number(match[1]);
  },
};
