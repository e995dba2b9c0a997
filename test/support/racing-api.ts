/** One session at an API that keeps versions as the real one does, and loses races on demand. */
import type { Session, SessionStatus } from '../../common/api/session.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { KubeError } from '../../common/kube/errors.ts';

interface StatusPatch {
  metadata: { resourceVersion: string };
  status: Partial<SessionStatus>;
}

export class RacingApi {
  truth: Session;
  writes = 0;
  isGone = false;
  /** Called before each write: what somebody else has written meanwhile. */
  meddle: (attempt: number) => Partial<SessionStatus> | undefined = () => undefined;

  constructor(session: Session) {
    this.truth = structuredClone(session);
  }

  get client(): KubeClient {
    return this as unknown as KubeClient;
  }

  get = async (): Promise<Session> => {
    if (this.isGone) throw new KubeError('gone', { status: 404, reason: 'NotFound' });
    return structuredClone(this.truth);
  };

  mergePatch = async (_: unknown, __: unknown, patch: StatusPatch): Promise<Session> => {
    const change = this.meddle(++this.writes);
    if (change !== undefined) this.#write(change);
    if (this.isGone) throw new KubeError('gone', { status: 404, reason: 'NotFound' });
    if (patch.metadata.resourceVersion !== this.truth.metadata.resourceVersion)
      throw new KubeError('changed', { status: 409, reason: 'Conflict' });
    this.#write(structuredClone(patch.status));
    return this.get();
  };

  #write(status: Partial<SessionStatus>): void {
    const resourceVersion = String(Number(this.truth.metadata.resourceVersion ?? '0') + 1);
    this.truth = {
      ...this.truth,
      metadata: { ...this.truth.metadata, resourceVersion },
      status: { ...this.truth.status, ...status },
    };
  }
}
