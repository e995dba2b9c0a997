/** What a sender hears when nothing is wrong: the contract's answers, and those that some senders expect instead. */
import type { WebhookAccepted, WebhookHeard, WebhookValid } from '../../../common/api/rest/webhooks.ts';
import type { AmbientError } from '../../../common/errors.ts';
import type { Forecast, Outcome } from '../../sessions/webhooks/deliveries.ts';

export function acceptedOf(
  namespace: string,
  { sessions, refused }: Extract<Outcome, { kind: 'started' }>,
): WebhookAccepted {
  const [{ sessionId, status, estimatedStartTime }] = sessions;
  const all = sessions.map(({ isRepeated: _, ...session }) => session);
  return {
    sessionId,
    namespace,
    status,
    estimatedStartTime,
    ...(all.length > 1 ? { sessions: all } : {}),
    ...(refused.length > 0 ? { refused } : {}),
  };
}

export const heardOf = (
  namespace: string,
  status: WebhookHeard['status'],
  reasons: string[] = [],
): WebhookHeard => ({ status, namespace, reasons });

export function validOf(
  namespace: string,
  { sessions, refused, estimatedCost, reasons, warnings }: Forecast,
): WebhookValid {
  return {
    valid: true,
    namespace,
    framework: sessions[0]?.framework ?? null,
    estimatedCost,
    ...(sessions.length > 1 ? { sessions } : {}),
    ...(refused.length > 0 ? { refused } : {}),
    // Where nothing would start, the reasons are what one asks for.
    warnings: [...warnings, ...reasons],
  };
}

/** What Slack shows to whoever typed the command, beside what every sender hears. */
export const commandAnswerOf = <T extends object>(body: T, text: string) => ({
  ...body,
  response_type: 'ephemeral',
  text,
});

export function refusedCommandText({ message, remedy, status }: AmbientError): string {
  const said = `${message.charAt(0).toUpperCase()}${message.slice(1)}`;
  // What was asked of the cluster may have come to its end although nobody waited for it.
  const doubt = status >= 500 ? ' If a session was started all the same, it is in the list of sessions.' : '';
  return `${said}${/[.!?]$/.test(said) ? '' : '.'} ${remedy}${doubt}`;
}
