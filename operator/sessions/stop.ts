/** Ending a session before its time: a wish in status with who and why, which controller and runner then obey. */
import { Compile } from 'typebox/compile';
import { LIVE_API_VERSION, USER_MAX } from '../../common/api/names.ts';
import { StopRequest } from '../../common/api/live.ts';
import type { StopAccepted } from '../../common/api/live.ts';
import { DEFAULT_GRACE_SECONDS, isTerminal } from '../../common/api/session.ts';
import type { Session, SessionStatus } from '../../common/api/session.ts';
import { AmbientError } from '../../common/errors.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { isConflict, isNotFound } from '../../common/kube/errors.ts';
import { sessions } from '../../common/kube/resource.ts';
import { historyAppender } from '../record/history.ts';
import type { ArtifactStore } from '../store/store.ts';
import { stopping } from '../../common/rules/outcome.ts';
import { problemsOf } from './validate.ts';

const validator = Compile(StopRequest);
/** Lost races with the controller's own patches before giving up. */
const ATTEMPTS = 8;

export interface StopsOptions {
  client: KubeClient;
  store: ArtifactStore;
  now: () => Date;
}

export class Stops {
  readonly #options: StopsOptions;

  constructor(options: StopsOptions) {
    this.#options = options;
  }

  /**
   * Records the wish and answers with the one that stands: a second one changes nothing. Throws invalid_request for a body
   * that is no StopRequest, already_finished, not_found, conflict when the session changes all the time.
   */
  async stop(session: Session, user: string, body: unknown, signal?: AbortSignal): Promise<StopAccepted> {
    if (!validator.Check(body)) throw new AmbientError('invalid_request', problemsOf(validator, body));
    const { namespace = '', name, uid } = session.metadata;
    let current = session;
    for (let attempt = 1; ; attempt++) {
      if (isTerminal(current.status?.phase)) {
        throw new AmbientError('already_finished', `session ${name} is ${current.status?.phase}`);
      }
      const standing = current.status?.stop;
      if (standing !== undefined) return accepted(standing);
      try {
        return await this.#request(current, user.slice(0, USER_MAX), body, signal);
      } catch (error) {
        if (isNotFound(error)) throw new AmbientError('not_found', `session ${name} is gone`);
        if (!isConflict(error) || attempt >= ATTEMPTS) throw error;
      }
      current = await this.#options.client.get(sessions, { namespace, name }, { signal });
      if (current.metadata.uid !== uid) throw new AmbientError('not_found', `session ${name} is gone`);
    }
  }

  async #request(
    session: Session,
    user: string,
    { reason, gracePeriodSeconds }: StopRequest,
    signal: AbortSignal | undefined,
  ): Promise<StopAccepted> {
    const { client, store, now } = this.#options;
    const { namespace, name, uid, resourceVersion } = session.metadata;
    const timestamp = `${now().toISOString().slice(0, 19)}Z`;
    const stop = {
      requestedAt: timestamp,
      requestedBy: user,
      ...(reason === undefined || reason === '' ? {} : { reason }),
      gracePeriodSeconds:
        gracePeriodSeconds ?? session.spec.limits?.gracePeriodSeconds ?? DEFAULT_GRACE_SECONDS,
    };
    const data = {
      gracePeriodSeconds: stop.gracePeriodSeconds,
      ...(stop.reason === undefined ? {} : { reason: stop.reason }),
    };
    const entry = { timestamp, event: 'StopRequested', actor: user, data };
    const history = await historyAppender(store)(session, [entry]);
    await client.mergePatch(
      sessions,
      { namespace, name, subresource: 'status' },
      // With the version it was computed from: a lost race is a conflict, never a lost entry.
      { metadata: { uid, resourceVersion }, status: { stop, history, message: stopping(stop) } },
      { signal },
    );
    return accepted(stop);
  }
}

const accepted = (stop: NonNullable<SessionStatus['stop']>): StopAccepted => ({
  kind: 'StopAccepted',
  apiVersion: LIVE_API_VERSION,
  requestedAt: stop.requestedAt,
  requestedBy: stop.requestedBy,
  gracePeriodSeconds: stop.gracePeriodSeconds,
});
