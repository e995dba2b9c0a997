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

export const keys = {
  session: root,
  /** Log chunks, named by the padded number of their first record. */
  log: (ref: SessionRef): string => `${root(ref)}log/`,
  logChunk: (ref: SessionRef, firstSeq: number): string =>
    `${root(ref)}log/${String(firstSeq).padStart(12, '0')}.ndjson`,
  artifacts: (ref: SessionRef): string => `${root(ref)}artifacts/`,
  artifact: (ref: SessionRef, path: string): string => `${root(ref)}artifacts/${path}`,
  source: (ref: SessionRef): string => `${root(ref)}source/archive.tar.gz`,
  result: (ref: SessionRef): string => `${root(ref)}result/result.json`,
  history: (ref: SessionRef, firstSeq: number): string =>
    `${root(ref)}history/${String(firstSeq).padStart(12, '0')}.json`,
};
