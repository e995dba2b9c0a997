/**
 * Whether a session may still call models. A stop ends that at once, as far as a watch is at once: nothing more is passed on, and
 * what streams is cut.
 */
import { isTerminal } from '../../../common/api/session.ts';
import type { Session } from '../../../common/api/session.ts';
import { AmbientError } from '../../../common/errors.ts';
import type { SessionLookup } from '../lookup.ts';

/** Undefined: it may. */
export function endOf({ metadata, status }: Session): AmbientError | undefined {
  if (isTerminal(status?.phase))
    return new AmbientError('already_finished', `Session ${metadata.name} has ended.`);
  if (metadata.deletionTimestamp !== undefined)
    return new AmbientError('already_finished', `Session ${metadata.name} is being deleted.`);
  if (status?.stop !== undefined)
    return new AmbientError('already_finished', `Session ${metadata.name} was told to stop.`);
  return undefined;
}

/** As it is known now; what the token led to where nothing is known yet. */
export function currentOf(sessions: Pick<SessionLookup, 'get'>, session: Session): Session {
  const { namespace = '', name, uid } = session.metadata;
  const current = sessions.get(namespace, name);
  return current !== undefined && current.metadata.uid === uid ? current : session;
}

/** Aborts, with the reason, when the session may not go on; at once when it may not now. */
export function cutSignal(
  sessions: Pick<SessionLookup, 'get' | 'onChange'>,
  session: Session,
): { signal: AbortSignal } & Disposable {
  const { namespace = '', name, uid } = session.metadata;
  const cut = new AbortController();
  const look = (): void => {
    const current = sessions.get(namespace, name);
    // Not known here yet: what the token led to is the newest there is.
    const end =
      current !== undefined && current.metadata.uid !== uid
        ? new AmbientError('already_finished', `Session ${name} is gone.`)
        : endOf(current ?? session);
    if (end !== undefined) cut.abort(end);
  };
  const gone = (): void => {
    if (sessions.get(namespace, name) === undefined)
      cut.abort(new AmbientError('already_finished', `Session ${name} is gone.`));
    else look();
  };
  const subscription = sessions.onChange(namespace, name, gone);
  look();
  return { signal: cut.signal, [Symbol.dispose]: () => subscription[Symbol.dispose]() };
}
