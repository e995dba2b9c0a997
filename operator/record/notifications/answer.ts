/** One attempt to answer, with the tenant's own token. */
import { errorCode } from '../../../common/kube/errors.ts';
import { answerBodyOf, answerHeadersOf } from './answers.ts';
import type { AnswerTarget } from './answers.ts';
import { failed, refused } from './delivery.ts';
import type { Attempt } from './delivery.ts';
import type { Notification } from './events.ts';
import { judge, Poster } from './poster.ts';
import type { Answered, PosterOptions } from './poster.ts';
import type { SecretReference } from './placeholders.ts';
import { SecretProblem } from './secrets.ts';

export interface AnswerOptions extends PosterOptions {
  now: () => number;
}

export interface AnswerCall {
  target: AnswerTarget;
  notification: Notification;
  /** Of the tenant's namespace. Throws SecretProblem. */
  secret: (reference: SecretReference) => Promise<Buffer>;
  signal: AbortSignal;
}

/** Slack says with 200 that it refuses. */
const ANSWER_BYTES = 16 * 1024;
/** What no second attempt changes: https://docs.slack.dev/reference/methods/chat.postMessage#errors */
const SLACK_FINAL: readonly string[] = [
  ...['channel_not_found', 'is_archived', 'thread_not_found', 'cannot_reply_to_message', 'msg_too_long'],
  ...['restricted_action', 'no_text', 'invalid_arguments'],
];
/** The repository, the issue or its comments are not there, or locked. A missing right looks like that, too. */
const FINAL: readonly number[] = [404, 410, 422];

export class AnswerSender {
  readonly #options: AnswerOptions;
  readonly #poster: Poster;

  constructor(options: AnswerOptions) {
    this.#options = options;
    this.#poster = new Poster({ ...options, answerBytes: ANSWER_BYTES });
  }

  /** Never throws but when the signal aborts. */
  async send({ target, notification, secret, signal }: AnswerCall): Promise<Attempt> {
    const url = this.#poster.urlOf(target.url);
    if (!(url instanceof URL)) return url;
    let token: string;
    try {
      const { secretName, key } = target.answer.credential;
      token = (await secret({ name: secretName, key })).toString('utf8').trim();
    } catch (error) {
      signal.throwIfAborted();
      return failed(
        error instanceof SecretProblem ? error.message : `a Secret cannot be read: ${errorCode(error)}`,
      );
    }
    if (!/^[\x21-\x7e]+$/.test(token)) return failed('the Secret holds nothing that can be a token');
    const body = JSON.stringify(answerBodyOf(target, notification));
    const posted = await this.#poster.post(url, answerHeadersOf(target, token), body, signal);
    if (posted.kind === 'attempt') return posted.attempt;
    if (FINAL.includes(posted.status))
      return refused(
        `it answered ${posted.status}: what is to be answered is not there, or the token may not`,
      );
    const attempt = judge(posted, this.#options.now());
    return target.source === 'slack' && attempt.outcome === 'delivered' ? slackSaid(posted) : attempt;
  }
}

function slackSaid({ said }: Answered): Attempt {
  let ok: unknown;
  let error: unknown;
  try {
    ({ ok, error } = JSON.parse(said) as { ok?: unknown; error?: unknown });
  } catch {
    return failed('it answered with something that is not from Slack');
  }
  if (ok === true) return { outcome: 'delivered' };
  // A word of Slack's own; anything else is not repeated.
  const word = typeof error === 'string' && /^[a-z_]{1,64}$/.test(error) ? error : 'unknown';
  return SLACK_FINAL.includes(word) ? refused(`Slack says ${word}`) : failed(`Slack says ${word}`);
}
