/** The original event of a session, which is not kept in memory. */
import type { Session, SessionSpec } from '../../common/api/session.ts';

type Trigger = NonNullable<SessionSpec['trigger']>;

/** The field stays, without a value: JSON and schemas do not see it, and it tells that the API server has more. */
export const withoutPayload = (trigger: Trigger): Trigger => ({ ...trigger, payload: undefined });

export function isPayloadLeftOut({ spec: { trigger } }: Session): boolean {
  return trigger !== undefined && 'payload' in trigger && trigger.payload === undefined;
}
