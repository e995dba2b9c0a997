/** The controller of policies: keeps their status telling what the namespace uses, and whether the policy makes sense. */
import type { Logger } from 'pino';
import type { NamespacePolicy, NamespacePolicyStatus } from '../../../common/api/namespace-policy.ts';
import { OPERATOR_ACTOR, POLICY_NAME } from '../../../common/api/names.ts';
import type { Session } from '../../../common/api/session.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import { isConflict, isNotFound } from '../../../common/kube/errors.ts';
import { mergePatchOf } from '../../../common/kube/patch.ts';
import type { Reflector } from '../../../common/kube/reflector.ts';
import { namespacePolicies } from '../../../common/kube/resource.ts';
import { findCondition } from '../../../common/rules/conditions.ts';
import type { AuditTrail } from '../../record/audit.ts';
import { readSecret } from '../../record/notifications/secrets.ts';
import { WEBHOOK_HASH_INDEX } from '../../sessions/webhooks/keys.ts';
import { timestamp } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { WorkQueue } from '../queue.ts';
import type { Result } from '../queue.ts';
import { isOlder } from '../resource-version.ts';
import type { Turns } from '../session/turns.ts';
import { UID_INDEX } from '../session/cleanup.ts';
import type { WarmPods } from '../warm/index.ts';
import { eventsBetween, tell } from './events.ts';
import { statusOf } from './status.ts';
import { KeyChecks } from './key-checks.ts';
import { RuntimeClassChecks, runtimeClassExists } from './runtime-class-checks.ts';

export { Settlements } from './settle.ts';

export interface PolicyControllerOptions {
  client: KubeClient;
  reflectors: { sessions: Reflector<Session>; namespacePolicies: Reflector<NamespacePolicy> };
  turns: Turns;
  warm: Pick<WarmPods, 'standing' | 'onChange'>;
  audit: AuditTrail;
  clock: Clock;
  random: () => number;
  log: Logger;
}

/** Between two writes of a namespace's figures. What people must know at once does not wait. */
const FIGURES_MS = 2000;

interface Written {
  /** Clock.elapsed() */
  at: number;
  version: string;
}

export class PolicyController {
  readonly #options: PolicyControllerOptions;
  readonly #queue: WorkQueue<string>;
  readonly #subscriptions = new DisposableStack();
  readonly #written = new Map<string, Written>();
  readonly #checks: KeyChecks;
  readonly #runtimeClasses: RuntimeClassChecks;

  constructor(options: PolicyControllerOptions) {
    this.#options = options;
    const { client, reflectors, clock } = options;
    this.#checks = new KeyChecks({
      read: (namespace, reference, signal) => readSecret(client, namespace, reference, signal),
      holders: (hash) => reflectors.namespacePolicies.store.countByIndex(WEBHOOK_HASH_INDEX, hash),
      clock,
    });
    this.#runtimeClasses = new RuntimeClassChecks({
      exists: (name, signal) => runtimeClassExists(client, name, signal),
      clock,
    });
    this.#queue = new WorkQueue<string>({
      work: (namespace, signal) => this.#reconcile(namespace, signal),
      onError: (namespace, err, { attempt }) =>
        options.log.warn({ namespace, err, attempt }, 'reconciling a policy failed'),
      concurrency: 4,
      clock: options.clock,
      random: options.random,
    });
  }

  /** Call when the turns have been started. */
  start(): void {
    const { reflectors, turns, warm } = this.#options;
    const { namespacePolicies: policies, sessions } = reflectors;
    this.#subscriptions.use(
      policies.onChange(({ type, object }) => {
        const { namespace = '' } = object.metadata;
        if (type === 'deleted') {
          this.#queue.forget(namespace);
          this.#written.delete(namespace);
          this.#checks.forget(namespace);
        } else this.#queue.add(namespace);
      }),
    );
    const look = (namespace: string, isUrgent: boolean): void => {
      // Most namespaces of most clusters have no policy.
      if (this.#policy(namespace) === undefined) return;
      if (isUrgent) this.#queue.add(namespace);
      else this.#queue.addAfter(namespace, FIGURES_MS);
    };
    this.#subscriptions.use(turns.onAccount(look));
    this.#subscriptions.use(warm.onChange((namespace) => look(namespace, false)));
    this.#subscriptions.use(
      sessions.onChange(({ type, object }) => {
        if (type !== 'updated') look(object.metadata.namespace ?? '', false);
      }),
    );
    for (const { metadata } of policies.store.list()) this.#queue.add(metadata.namespace ?? '');
  }

  async close(drainMs: number): Promise<void> {
    this.#subscriptions.dispose();
    await this.#queue.close(drainMs);
  }

  #policy(namespace: string): NamespacePolicy | undefined {
    return this.#options.reflectors.namespacePolicies.store.get({ namespace, name: POLICY_NAME });
  }

  async #reconcile(namespace: string, signal: AbortSignal): Promise<Result> {
    const { client, reflectors, turns, clock, log } = this.#options;
    const policy = this.#policy(namespace);
    if (policy === undefined || policy.metadata.deletionTimestamp !== undefined) return undefined;
    const written = this.#written.get(namespace);
    // The event that brings our own last write brings this namespace again.
    if (isOlder(policy.metadata.resourceVersion, written?.version)) return undefined;

    turns.governed(namespace);
    const account = turns.account(namespace);
    const sessions = reflectors.sessions.store;
    const isThere = (uid: string): boolean => sessions.countByIndex(UID_INDEX, uid) > 0;
    const total = sessions.list(namespace).length;
    const mistakes = [
      ...(await this.#checks.of(policy, signal)),
      ...(await this.#runtimeClasses.of(policy, signal)),
    ];
    const warmPods = this.#options.warm.standing(namespace);
    const next = statusOf(policy, { account, total, isThere, now: clock.now(), mistakes, warmPods });
    const again = [this.#checks.againMs(policy), this.#runtimeClasses.againMs(policy)];
    const soonest = Math.min(...again.filter((each) => each !== undefined));
    const later: Result = soonest === Infinity ? undefined : { requeueAfterMs: soonest };
    const patch = mergePatchOf(policy.status ?? {}, next);
    if (patch === undefined) return later;
    const wait = (written?.at ?? -Infinity) + FIGURES_MS - clock.elapsed();
    if (wait > 0 && isFiguresOnly(policy.status, next)) return { requeueAfterMs: wait };

    await this.#recordReset(policy, next);
    for (const event of eventsBetween(policy, next, clock.now()))
      await tell(client, event, signal).catch((err: unknown) =>
        log.warn({ err, namespace }, 'an event about a budget was not told'),
      );
    const { name, uid, resourceVersion } = policy.metadata;
    try {
      const answer = await client.mergePatch(
        namespacePolicies,
        { namespace, name, subresource: 'status' },
        { metadata: { uid, resourceVersion }, status: patch },
        { signal, answer: 'metadata' },
      );
      const version = answer.metadata.resourceVersion ?? '';
      this.#written.set(namespace, { at: clock.elapsed(), version });
    } catch (error) {
      if (isConflict(error)) return { requeueAfterMs: 500 };
      if (!isNotFound(error)) throw error;
    }
    return later;
  }

  /** A month's end decides over money: it is recorded before it takes effect for people. */
  async #recordReset({ metadata, status }: NamespacePolicy, next: NamespacePolicyStatus): Promise<void> {
    const before = status?.usage?.budget;
    const lastReset = next.usage?.budget?.lastReset;
    if (before === undefined || lastReset === undefined || before.lastReset === lastReset) return;
    const { namespace = '' } = metadata;
    await this.#options.audit.record({
      namespace,
      actor: OPERATOR_ACTOR,
      action: 'update',
      resource: 'namespacepolicies/status',
      outcome: 'allowed',
      details: { event: 'BudgetReset', from: before.lastReset, to: lastReset, spent: before.currentMonth },
    });
    this.#options.log.info(
      { namespace, lastReset, at: timestamp(this.#options.clock.now()) },
      'a budget was reset',
    );
  }
}

/** Nothing but numbers is different, for which nobody waits. */
function isFiguresOnly(before: NamespacePolicyStatus | undefined, next: NamespacePolicyStatus): boolean {
  if (before?.observedGeneration !== next.observedGeneration) return false;
  if (before?.usage?.budget?.lastReset !== next.usage?.budget?.lastReset) return false;
  return (next.conditions ?? []).every(({ type, status, reason }) => {
    const stood = findCondition(before?.conditions, type);
    return stood?.status === status && stood.reason === reason;
  });
}
