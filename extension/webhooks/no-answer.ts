/** Why a test event got no answer, and what to do about it. Pure. */
import { messageOf } from '../../common/errors.ts';
import { noAnswer } from '../../common/kube/errors.ts';
import { formatDuration } from '../../common/rules/wording.ts';

const REMEDIES: Readonly<Record<string, string>> = {
  TlsError:
    "Use an address whose certificate this computer trusts, or let it trust that one's authority; the operator's own is ca.crt in the Secret ambient-operator-tls.",
  Timeout: 'Check the address, and what stands between here and there.',
  Unreachable: 'Check the address, and that it can be reached from here.',
};

/** @param error what `send` threw @param timeoutMs how long was waited at most */
export function noAnswerText(base: string, error: unknown, timeoutMs: number): string {
  const { host } = new URL(base);
  if (error instanceof Error && error.name === 'TimeoutError')
    return `${host} did not answer within ${formatDuration(timeoutMs)}. ${REMEDIES['Timeout']}`;
  // fetch says why in its cause.
  const cause = (error instanceof Error ? error.cause : undefined) ?? error;
  if (messageOf(cause) === 'unexpected redirect')
    return `${host} redirects to another address, and the key goes to no other than the one you gave. Set the address to where the redirect leads.`;
  if (/wrong version number/i.test(messageOf(cause)))
    return `${host} does not speak TLS. Check the port, and whether the address begins with https:// or http://.`;
  const { reason, message } = noAnswer(cause, host);
  return `No answer: ${message}. ${REMEDIES[reason] ?? REMEDIES['Unreachable']}`;
}
