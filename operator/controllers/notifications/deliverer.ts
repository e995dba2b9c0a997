/** How each kind of target is told. */
import type { KubeClient } from '../../../common/kube/client.ts';
import type { AddressRules } from '../../record/notifications/addresses.ts';
import { AnswerSender } from '../../record/notifications/answer.ts';
import { Mailer } from '../../record/notifications/mail.ts';
import type { SmtpSettings } from '../../record/notifications/mail.ts';
import type { SecretReference } from '../../record/notifications/placeholders.ts';
import { readSecret, SecretProblem } from '../../record/notifications/secrets.ts';
import { WebhookSender } from '../../record/notifications/webhook.ts';
import type { Clock } from '../clock.ts';
import type { Deliver } from './index.ts';

export interface DelivererOptions {
  client: KubeClient;
  rules: AddressRules;
  /** Undefined: no email. */
  smtp: SmtpSettings | undefined;
  clock: Clock;
  /** The operator's own: its Secrets are nobody else's. */
  ownNamespace: string;
  /** Of one attempt. */
  timeoutMs?: number;
}

export function deliverer(options: DelivererOptions): Deliver {
  const { client, rules, smtp, clock, ownNamespace, timeoutMs } = options;
  const webhooks = new WebhookSender({
    rules,
    now: () => clock.now(),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  const answers = new AnswerSender({
    rules,
    now: () => clock.now(),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  const mailer = new Mailer(smtp, timeoutMs);
  return async (namespace, target, notification, signal) => {
    const secret = async (reference: SecretReference): Promise<Buffer> => {
      if (namespace === ownNamespace)
        throw new SecretProblem("no Secret of the operator's own namespace is used for webhooks");
      return await readSecret(client, namespace, reference, signal);
    };
    switch (target.kind) {
      case 'email':
        return await mailer.send(target.recipient, notification, signal);
      case 'webhook':
        return await webhooks.send({ webhook: target.webhook, notification, secret, signal });
      case 'answer':
        return await answers.send({ target, notification, secret, signal });
    }
  };
}
