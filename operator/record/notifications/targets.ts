/** Where a namespace wants to be told what, from its policy. */
import { createHash } from 'node:crypto';
import type { NamespacePolicySpec } from '../../../common/api/namespace-policy.ts';
import type { AnswerTarget } from './answers.ts';
import type { NotificationEvent } from './events.ts';

export type NotificationSettings = NonNullable<NamespacePolicySpec['notifications']>;
export type Webhook = NonNullable<NotificationSettings['webhooks']>[number];

interface CommonTarget {
  /** Names it in the outbox: what to call and how is read from the policy when it is called, so that a correction helps. */
  id: string;
  /** For people; without what may be secret in it. */
  label: string;
  events: readonly NotificationEvent[];
}

export type Target =
  | (CommonTarget & ({ kind: 'webhook'; webhook: Webhook } | { kind: 'email'; recipient: string }))
  | AnswerTarget;

const LABEL_MAX = 512;

/** Asked for at each change of each session: worked out once for as long as the policy is the same object. */
const known = new WeakMap<NotificationSettings, readonly Target[]>();

export function targetsOf(settings: NotificationSettings | undefined): readonly Target[] {
  if (settings === undefined) return [];
  let targets = known.get(settings);
  if (targets === undefined) known.set(settings, (targets = readTargets(settings)));
  return targets;
}

function readTargets({ webhooks = [], email }: NotificationSettings): Target[] {
  const recipients = email?.enabled === true ? (email.recipients ?? []) : [];
  return unique([
    ...webhooks.map((webhook): Target => {
      const { url, events } = webhook;
      return { kind: 'webhook', id: idOf('webhook', url), label: labelOf(url), events, webhook };
    }),
    ...recipients.map((recipient): Target => {
      const label = `mailto:${recipient}`.slice(0, LABEL_MAX);
      return { kind: 'email', id: idOf('email', recipient), label, events: email?.events ?? [], recipient };
    }),
  ]);
}

/** One that is named twice is told once, about what either wants. */
function unique(targets: readonly Target[]): Target[] {
  const byId = new Map<string, Target>();
  for (const target of targets) {
    const before = byId.get(target.id);
    byId.set(
      target.id,
      before === undefined ? target : { ...before, events: [...before.events, ...target.events] },
    );
  }
  return [...byId.values()];
}

const idOf = (kind: Target['kind'], address: string): string =>
  createHash('sha256').update(`${kind}\n${address}`).digest('hex').slice(0, 16);

/** Of many services the path is the key. */
function labelOf(url: string): string {
  if (!URL.canParse(url)) return 'a URL that cannot be read';
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname === '/' ? '/' : '/…'}`.slice(0, LABEL_MAX);
}
