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

/** Whether a folder at the top is a namespace's. Others begin with an underscore, which no namespace does. */
export const isNamespace = (folder: string): boolean => !folder.startsWith('_');

const root = ({ namespace, uid }: SessionRef): string => `${namespace}/${uid}/`;

/** Numbers in names are padded so that their order as text is their order as numbers. */
const DIGITS = 12;
const padded = (number: number): string => String(number).padStart(DIGITS, '0');

const CHUNK = new RegExp(`/log/(\\d{${DIGITS}})-(\\d{${DIGITS}})\\.ndjson$`);

/** The records of one chunk, both ends included. */
export interface ChunkRange {
  first: number;
  last: number;
}

export const keys = {
  session: root,
  /** What retention counts as logs and artifacts: all but the history, which belongs to the object. */
  expiring: (ref: SessionRef): string[] =>
    ['log', 'artifacts', 'source', 'result'].map((folder) => `${root(ref)}${folder}/`),
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
  /** Entries trimmed from status.history, named by the padded number of their first. */
  histories: (ref: SessionRef): string => `${root(ref)}history/`,
  history: (ref: SessionRef, firstSeq: number): string => `${root(ref)}history/${padded(firstSeq)}.json`,
};
