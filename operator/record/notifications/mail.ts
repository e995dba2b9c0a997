/** One attempt to send a notification by email, as plain text, over the SMTP server that the operator's administrator has set. */
import { oneLine } from '../../../common/rules/wording.ts';
import { shorten } from '../../../common/rules/conditions.ts';
import { failed, refused } from './delivery.ts';
import type { Attempt } from './delivery.ts';
import type { Notification } from './events.ts';

/** none: in the clear; starttls: encrypted before anything is said, or not at all; tls: from the first byte. */
export const SMTP_SECURITY = ['none', 'starttls', 'tls'] as const;

export interface SmtpSettings {
  host: string;
  port: number;
  security: (typeof SMTP_SECURITY)[number];
  user: string | undefined;
  password: string | undefined;
  from: string;
  /** PEM of whom to trust beside the well-known authorities. */
  ca?: string | undefined;
}

const TIMEOUT_MS = 10_000;
const SUBJECT_MAX = 200;
/** One address and nothing else: no names, lists, comments or line breaks. */
const ADDRESS = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;

export const isMailAddress = (text: string): boolean => ADDRESS.test(text);

export class Mailer {
  readonly #settings: SmtpSettings | undefined;
  readonly #timeoutMs: number;

  constructor(settings: SmtpSettings | undefined, timeoutMs: number = TIMEOUT_MS) {
    this.#settings = settings;
    this.#timeoutMs = timeoutMs;
  }

  /** Never throws but when the signal aborts. */
  async send(recipient: string, notification: Notification, signal: AbortSignal): Promise<Attempt> {
    const settings = this.#settings;
    if (settings === undefined)
      return failed('the operator has no SMTP server: its administrator sets one with --smtp-host');
    if (!isMailAddress(recipient)) return refused('this is no email address');
    // Most clusters send no email: the library is taken into memory by those that do.
    const { createTransport } = await import('nodemailer');
    const transport = createTransport({
      host: settings.host,
      port: settings.port,
      secure: settings.security === 'tls',
      requireTLS: settings.security === 'starttls',
      ignoreTLS: settings.security === 'none',
      ...(settings.user === undefined
        ? {}
        : { auth: { user: settings.user, pass: settings.password ?? '' } }),
      ...(settings.ca === undefined ? {} : { tls: { ca: settings.ca } }),
      connectionTimeout: this.#timeoutMs,
      greetingTimeout: this.#timeoutMs,
      socketTimeout: this.#timeoutMs,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    const close = (): void => transport.close();
    signal.addEventListener('abort', close, { once: true });
    try {
      await transport.sendMail({
        from: settings.from,
        to: { name: '', address: recipient },
        subject: subjectOf(notification),
        text: textOf(notification),
        messageId: `<${notification.id}@ambient.ai>`,
        headers: { 'X-Ambient-Event': notification.event, 'Auto-Submitted': 'auto-generated' },
      });
      return { outcome: 'delivered' };
    } catch (error) {
      signal.throwIfAborted();
      return judge(error);
    } finally {
      signal.removeEventListener('abort', close);
      close();
    }
  }
}

/** What a server says of the recipient or the message for good is final; its trouble, and ours in signing in, may pass. */
function judge(error: unknown): Attempt {
  const { code, responseCode } = error as { code?: unknown; responseCode?: unknown };
  const kind = typeof code === 'string' ? code : 'unknown';
  if (typeof responseCode !== 'number') return failed(`the mail server did not take it (${kind})`);
  const reason = `the mail server answered ${responseCode} (${kind})`;
  const isFinal = responseCode >= 500 && (kind === 'EENVELOPE' || kind === 'EMESSAGE');
  return isFinal ? refused(reason) : failed(reason);
}

const subjectOf = ({ namespace, message }: Notification): string =>
  shorten(oneLine(`[ambient] ${namespace}: ${message}`), SUBJECT_MAX);

export function textOf({ id, event, timestamp, namespace, message, session, budget }: Notification): string {
  const facts: [string, string | undefined][] = [
    ['Event', event],
    ['Time', timestamp],
    ['Namespace', namespace],
    ['Session', session?.name],
    ['Phase', session?.phase],
    ['Reason', session?.reason],
    ['Launched by', session?.createdBy],
    ['Cost', session?.cost === undefined ? undefined : `${session.cost} USD`],
    ['Spent this month', budget?.currentMonth === undefined ? undefined : `${budget.currentMonth} USD`],
    ['Of the budget', budget?.percentUsed === undefined ? undefined : `${budget.percentUsed} %`],
    ['Id', id],
  ];
  const lines = facts.flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${oneLine(value)}`]));
  return `${oneLine(message)}\n\n${lines.join('\n')}\n`;
}
