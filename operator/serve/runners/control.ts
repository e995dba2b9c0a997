/** GET /runner/v1/control: what the runner shall do now; held while there is nothing new. */
import type { Control } from '../../../common/api/runner.ts';
import type { Session } from '../../../common/api/session.ts';
import type { SessionLookup } from '../../sessions/lookup.ts';

export const CONTROL_WAIT_MAX_SECONDS = 30;

/** Answers at once when somebody asked for a stop, else when that happens or `waitSeconds` are over. */
export async function controlOf(
  sessions: SessionLookup,
  session: Session,
  waitSeconds: number,
  ending: AbortSignal,
): Promise<Control> {
  const { namespace = '', name, uid } = session.metadata;
  const now = (): Control => {
    const current = sessions.get(namespace, name);
    const latest = current !== undefined && current.metadata.uid === uid ? current : session;
    const stop = latest.status?.stop;
    if (stop === undefined) return {};
    const { requestedBy, reason, gracePeriodSeconds } = stop;
    return { stop: { requestedBy, gracePeriodSeconds, ...(reason === undefined ? {} : { reason }) } };
  };
  if (waitSeconds > 0 && now().stop === undefined && !ending.aborted) {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        subscription[Symbol.dispose]();
        ending.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, waitSeconds * 1000);
      const subscription = sessions.onChange(namespace, name, () => {
        if (now().stop !== undefined) done();
      });
      ending.addEventListener('abort', done);
    });
  }
  return now();
}
