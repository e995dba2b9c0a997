/** Signs what a session has made, and keeps that beside it. The same session gives the same bytes, however often it is asked. */
import { createHash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { Session } from '../../../common/api/session.ts';
import { statementOf } from '../../../common/rules/provenance.ts';
import type { Product, RunFacts } from '../../../common/rules/provenance.ts';
import { keys, PROVENANCE_ARTIFACT, refOf } from '../../store/keys.ts';
import type { ArtifactStore } from '../../store/store.ts';
import { keyIdOf, seal } from './envelope.ts';

export interface Voucher {
  /** For the session's status. */
  provenance: { location: string; digest: string; keyId: string };
  /** Bytes of the statement. */
  size: number;
}

const CONTENT_TYPE = 'application/vnd.in-toto+dsse';

export class ProvenanceRecorder {
  readonly #store: ArtifactStore;
  readonly #key: () => Promise<KeyObject>;

  constructor(store: ArtifactStore, key: () => Promise<KeyObject>) {
    this.#store = store;
    this.#key = key;
  }

  /** Undefined without products: there is nothing to vouch for. Throws KubeError, and what the store throws. */
  async record(session: Session, products: readonly Product[], run: RunFacts): Promise<Voucher | undefined> {
    if (products.length === 0) return undefined;
    const key = await this.#key();
    const line = seal(statementOf(session, products, run, sha256), key);
    const { digest, size } = await this.#store.put(
      keys.artifact(refOf(session), PROVENANCE_ARTIFACT),
      Buffer.from(line),
      { contentType: CONTENT_TYPE, metadata: { type: 'intermediate' } },
    );
    return { provenance: { location: PROVENANCE_ARTIFACT, digest, keyId: keyIdOf(key) }, size };
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
