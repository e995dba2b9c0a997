/** Who was refused at a door, on record with what can be known of them: pods try other doors than theirs, too. */
import type { Session } from '../../../common/api/session.ts';
import type { AmbientError } from '../../../common/errors.ts';
import type { Accesses, Refused } from '../../sessions/accesses.ts';
import type { Bearer, TokenPod } from './tokens.ts';

export interface RefusedRequest {
  authorization: string | undefined;
  resource: string;
  details?: Record<string, unknown>;
  error: AmbientError;
  traceId: string;
}

interface Found {
  bearer: Bearer;
  session: Session | undefined;
}

export interface RunnerRefusalsOptions {
  identity: { bearerOf(authorization: string | undefined): Promise<Found | undefined> };
  /** Of other pods of sessions, which are strangers to that one. */
  others?: readonly { ownerOf(pod: TokenPod): Promise<Session | undefined> }[];
  accesses: Pick<Accesses, 'refused' | 'refusedPod'>;
  /** Default: the runners'. */
  door?: Refused['door'];
}

export class RunnerRefusals {
  readonly #options: RunnerRefusalsOptions;

  constructor(options: RunnerRefusalsOptions) {
    this.#options = options;
  }

  /** Asks for who it is while the answer is on its way. Never throws: it is refused in any case. */
  note({ authorization, ...refused }: RefusedRequest): void {
    this.#find(authorization).then(
      (found) => this.#tell(refused, found),
      // The API server does not say.
      () => this.#tell(refused, undefined),
    );
  }

  async #find(authorization: string | undefined): Promise<Found | undefined> {
    const { identity, others = [] } = this.#options;
    const found = await identity.bearerOf(authorization);
    if (found?.bearer.isProven !== true) return found;
    let { session } = found;
    for (const other of others) session ??= await other.ownerOf(found.bearer.pod);
    return { ...found, session };
  }

  #tell(refused: Omit<RefusedRequest, 'authorization'>, found: Found | undefined): void {
    const { accesses, door = 'runners' } = this.#options;
    const about = { door, ...refused };
    if (found === undefined) {
      accesses.refused(about);
      return;
    }
    const { bearer, session } = found;
    const { pod, serviceAccount, isProven } = bearer;
    if (isProven) accesses.refusedPod({ ...about, pod: { ...pod, serviceAccount }, session });
    // Anybody can write a token that names a pod of somebody else.
    else {
      const claimed = { namespace: pod.namespace, pod: pod.name, serviceAccount };
      accesses.refused({ ...about, details: { ...about.details, claimed } });
    }
  }
}
