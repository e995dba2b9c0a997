/** GET /runner/v1/control: what the runner shall do now, and what was said to it; held while there is nothing new. */
import type { Control } from '../../../common/api/runner.ts';
import type { Session, SessionStatus } from '../../../common/api/session.ts';
import type { SessionLookup } from '../../sessions/lookup.ts';
import type { Messages } from '../../sessions/messages.ts';
import { isPaused } from '../../sessions/models/budget-states.ts';

export const CONTROL_WAIT_MAX_SECONDS = 30;

export interface ControlQuery {
  waitSeconds: number;
  /** The runner has all that was said up to this message; undefined: it takes none. */
  after: number | undefined;
  /** Whether the runner takes the session to wait for money; undefined: it does not ask. */
  paused: boolean | undefined;
}

/** Answers at once when somebody asked for a stop, said something new or let money run out or in, else when that happens or the wait is over. */
export async function controlOf(
  { sessions, messages }: { sessions: SessionLookup; messages: Pick<Messages, 'after'> },
  session: Session,
  { waitSeconds, after, paused }: ControlQuery,
  ending: AbortSignal,
): Promise<Control> {
  const { namespace = '', name, uid } = session.metadata;
  const latest = (): Session => {
    const current = sessions.get(namespace, name);
    return current !== undefined && current.metadata.uid === uid ? current : session;
  };
  const hasNews = (): boolean => {
    const { stop, input } = latest().status ?? {};
    if (stop !== undefined || (paused !== undefined && isPaused(latest()) !== paused)) return true;
    return after !== undefined && (input?.messages?.length ?? 0) > after;
  };
  if (waitSeconds > 0 && !hasNews() && !ending.aborted) {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        subscription[Symbol.dispose]();
        ending.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, waitSeconds * 1000);
      const subscription = sessions.onChange(namespace, name, () => {
        if (hasNews()) done();
      });
      ending.addEventListener('abort', done);
    });
  }
  const { stop } = latest().status ?? {};
  const said = after === undefined ? [] : await messages.after(latest(), after);
  return {
    ...(stop === undefined ? {} : { stop: wishOf(stop) }),
    ...(said.length === 0 ? {} : { messages: said }),
    ...(paused === undefined ? {} : { paused: isPaused(latest()) }),
  };
}

const wishOf = ({
  requestedBy,
  reason,
  gracePeriodSeconds,
}: NonNullable<SessionStatus['stop']>): NonNullable<Control['stop']> => ({
  requestedBy,
  gracePeriodSeconds,
  ...(reason === undefined ? {} : { reason }),
});
