/**
 * Notifications, by the leader: what sessions and policies give cause for goes into the outbox (intake.ts), each stream of the
 * outbox is worked off in order with retries, and how that stands is told in the status of the policy.
 */
import type { Logger } from 'pino';
import type { NamespacePolicy, NamespacePolicyStatus } from '../../../common/api/namespace-policy.ts';
import type { Session } from '../../../common/api/session.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import { isNotFound } from '../../../common/kube/errors.ts';
import { mergePatchOf } from '../../../common/kube/patch.ts';
import type { Reflector } from '../../../common/kube/reflector.ts';
import { namespacePolicies } from '../../../common/kube/resource.ts';
import { GIVE_UP_MS, retryDelay } from '../../record/notifications/delivery.ts';
import type { Attempt } from '../../record/notifications/delivery.ts';
import type { Notification } from '../../record/notifications/events.ts';
import { Outbox } from '../../record/notifications/outbox.ts';
import type { Entry, StreamKey } from '../../record/notifications/outbox.ts';
import { targetsOf } from '../../record/notifications/targets.ts';
import type { Target } from '../../record/notifications/targets.ts';
import type { Policies } from '../../sessions/policies.ts';
import type { ArtifactStore } from '../../store/store.ts';
import { timestamp } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { WorkQueue } from '../queue.ts';
import type { Result } from '../queue.ts';
import { UID_INDEX } from '../session/cleanup.ts';
import { Intake } from './intake.ts';
import type { IntakeOptions } from './intake.ts';
import { Troubles } from './troubles.ts';

export type Deliver = (
  namespace: string,
  target: Target,
  notification: Notification,
  signal: AbortSignal,
) => Promise<Attempt>;

export interface NotificationMetrics {
  attempted(kind: Target['kind'], outcome: 'delivered' | 'retried' | 'dead'): void;
  waiting(count: number): void;
}

export interface NotificationOptions {
  client: KubeClient;
  sessions: Reflector<Session>;
  namespacePolicies: Reflector<NamespacePolicy>;
  policies: Pick<Policies, 'object'>;
  store: ArtifactStore;
  deliver: Deliver;
  answerOf: IntakeOptions['answerOf'];
  mayAnswer: IntakeOptions['mayAnswer'];
  clock: Clock;
  random: () => number;
  metrics: NotificationMetrics;
  log: Logger;
}

const ATTEMPTS_AT_ONCE = 16;
/** Targets of one tenant that hang must not keep the others waiting. */
const ATTEMPTS_PER_NAMESPACE = 4;
const FULL_MS = 250;
/** Changes of status are gathered for so long. */
const STATUS_AFTER_MS = 2000;
const WAITING_MAX = 20;

export class NotificationController {
  readonly #options: NotificationOptions;
  readonly #outbox: Outbox;
  readonly #intake: Intake;
  readonly #deliveries: WorkQueue<StreamKey>;
  readonly #statuses: WorkQueue<string>;
  readonly #scans: WorkQueue<'outbox'>;
  readonly #troubles = new Troubles();
  /** What waits, by stream. */
  readonly #waiting = new Map<StreamKey, number>();
  #total = 0;
  readonly #specs = new Map<string, string>();
  readonly #underWay = new Map<string, number>();

  constructor(options: NotificationOptions) {
    this.#options = options;
    const { clock, random, log } = options;
    const warn =
      (what: string) =>
      (key: string, err: unknown, { attempt }: { attempt: number }) =>
        log.warn({ key, err, attempt }, what);
    this.#outbox = new Outbox(options.store);
    this.#intake = new Intake({
      ...options,
      outbox: this.#outbox,
      onGrown: (grown) => this.#grown(grown),
      onPolicy: (namespace) => this.#policyChanged(namespace),
      onGone: (namespace, uid) => this.#forgetGone(namespace, uid),
    });
    this.#deliveries = new WorkQueue<StreamKey>({
      work: (key, signal) => this.#look(key, signal),
      onError: warn('the outbox cannot be read or written'),
      concurrency: ATTEMPTS_AT_ONCE,
      clock,
      random,
    });
    this.#scans = new WorkQueue<'outbox'>({
      work: () => this.#scan(),
      onError: warn('the outbox cannot be read'),
      concurrency: 1,
      clock,
      random,
    });
    this.#statuses = new WorkQueue<string>({
      work: (namespace, signal) => this.#writeStatus(namespace, signal),
      onError: warn('writing the state of notifications failed'),
      concurrency: 1,
      clock,
      random,
    });
  }

  /** Call when the reflectors are synced. */
  start(): void {
    this.#scans.add('outbox');
    this.#intake.start();
  }

  async close(drainMs: number): Promise<void> {
    await Promise.all(
      [this.#intake, this.#scans, this.#deliveries, this.#statuses].map((each) => each.close(drainMs)),
    );
  }

  /** What an operator before has left. */
  async #scan(): Promise<Result> {
    const { streams, idle } = await this.#outbox.scan();
    this.#grown(streams);
    for (const { namespace, subject } of idle) await this.#forgetGone(namespace, subject);
    return undefined;
  }

  #grown(streams: ReadonlyMap<StreamKey, number>): void {
    for (const [stream, count] of streams) {
      this.#count(stream, count);
      // One that failed has its time to be tried again.
      if (!this.#troubles.has(stream)) this.#deliveries.add(stream);
    }
  }

  /** Status is written by us and by others all the time: only another spec may be what helps. */
  #policyChanged(namespace: string): void {
    const { uid, generation } = this.#options.policies.object(namespace)?.metadata ?? {};
    const spec = `${uid} ${generation}`;
    if (this.#specs.get(namespace) === spec) return;
    this.#specs.set(namespace, spec);
    for (const stream of this.#waiting.keys())
      if (stream.startsWith(`${namespace}/`)) this.#deliveries.add(stream);
    this.#statuses.addAfter(namespace, STATUS_AFTER_MS);
  }

  #count(stream: StreamKey, change: number): void {
    const before = this.#waiting.get(stream) ?? 0;
    const count = Math.max(0, before + change);
    if (count > 0) this.#waiting.set(stream, count);
    else this.#waiting.delete(stream);
    this.#total += count - before;
    this.#options.metrics.waiting(this.#total);
    this.#statuses.addAfter(namespaceOf(stream), STATUS_AFTER_MS);
  }

  async #look(stream: StreamKey, signal: AbortSignal): Promise<Result> {
    const [namespace = '', subject = '', id] = stream.split('/');
    const entry = await this.#outbox.first(stream);
    if (entry === undefined) {
      this.#troubles.clear(stream);
      this.#count(stream, -(this.#waiting.get(stream) ?? 0));
      await this.#forgetGone(namespace, subject);
      return undefined;
    }
    const settings = this.#options.policies.object(namespace)?.spec.notifications;
    const session = this.#options.sessions.store.byIndex(UID_INDEX, subject)[0];
    const answer = session === undefined ? undefined : this.#options.answerOf(session);
    const target = [...targetsOf(settings), ...(answer === undefined ? [] : [answer])].find(
      (each) => each.id === id,
    );
    if (target === undefined) {
      this.#options.log.info({ stream, id: entry.notification.id }, 'a notification is not wanted any more');
      return await this.#done(stream, entry);
    }
    const underWay = this.#underWay.get(namespace) ?? 0;
    if (underWay >= ATTEMPTS_PER_NAMESPACE) return { requeueAfterMs: FULL_MS };
    this.#underWay.set(namespace, underWay + 1);
    try {
      const attempt = await this.#options.deliver(namespace, target, entry.notification, signal);
      return await this.#judge(stream, entry, target, attempt);
    } finally {
      const left = (this.#underWay.get(namespace) ?? 1) - 1;
      if (left > 0) this.#underWay.set(namespace, left);
      else this.#underWay.delete(namespace);
    }
  }

  async #judge(stream: StreamKey, entry: Entry, target: Target, attempt: Attempt): Promise<Result> {
    const { clock, random, metrics } = this.#options;
    switch (attempt.outcome) {
      case 'delivered':
        metrics.attempted(target.kind, 'delivered');
        return await this.#done(stream, entry);
      case 'refused':
        return await this.#bury(stream, entry, target, attempt.reason);
      case 'failed': {
        const left = Date.parse(entry.since) + GIVE_UP_MS - clock.now();
        if (left <= 0) return await this.#bury(stream, entry, target, `${attempt.reason}; tried for 24 h`);
        metrics.attempted(target.kind, 'retried');
        const tries = this.#troubles.note(stream, {
          label: target.label,
          reason: attempt.reason,
          at: clock.now(),
        });
        this.#statuses.addAfter(namespaceOf(stream), STATUS_AFTER_MS);
        return { requeueAfterMs: Math.min(retryDelay(tries, random, attempt.afterMs), left) };
      }
    }
  }

  async #bury(stream: StreamKey, entry: Entry, target: Target, reason: string): Promise<Result> {
    const { clock, metrics, log } = this.#options;
    const { id, event, session, namespace } = entry.notification;
    metrics.attempted(target.kind, 'dead');
    log.warn({ namespace, id, event, target: target.label, reason }, 'a notification was given up');
    await this.#outbox.bury(namespace, entry, {
      id,
      event,
      target: target.label,
      ...(session === undefined ? {} : { session: session.name }),
      at: timestamp(clock.now()),
      reason: reason.slice(0, 1024),
    });
    return this.#advance(stream);
  }

  async #done(stream: StreamKey, entry: Entry): Promise<Result> {
    await this.#outbox.remove(entry);
    return this.#advance(stream);
  }

  /** The next of the stream. */
  #advance(stream: StreamKey): Result {
    this.#troubles.clear(stream);
    this.#count(stream, -1);
    return { requeueAfterMs: 0 };
  }

  /** The ledger of a session is of no use once the session is gone and everybody was told. */
  async #forgetGone(namespace: string, subject: string): Promise<void> {
    const { sessions, policies } = this.#options;
    if (sessions.store.countByIndex(UID_INDEX, subject) > 0) return;
    if (policies.object(namespace)?.metadata.uid === subject || this.#intake.knows(subject)) return;
    if (!(await this.#outbox.hasWaiting(namespace, subject))) await this.#outbox.forget(namespace, subject);
  }

  async #writeStatus(namespace: string, signal: AbortSignal): Promise<Result> {
    const { policies, client } = this.#options;
    const policy = policies.object(namespace);
    if (policy === undefined) return undefined;
    const before = policy.status?.notifications;
    const { failed, newest } = await this.#outbox.dead(namespace);
    let pending = 0;
    for (const [stream, count] of this.#waiting) if (namespaceOf(stream) === namespace) pending += count;
    if (before === undefined && pending === 0 && failed === 0) return undefined;
    const waiting = this.#troubles.of(namespace).slice(0, WAITING_MAX);
    const after: NonNullable<NamespacePolicyStatus['notifications']> = {
      pending,
      failed,
      ...(newest.length > 0 ? { deadLetters: newest } : {}),
      ...(waiting.length > 0 ? { waiting } : {}),
    };
    const patch = mergePatchOf(before ?? {}, after);
    if (patch === undefined) return undefined;
    const { name, uid } = policy.metadata;
    try {
      await client.mergePatch(
        namespacePolicies,
        { namespace, name, subresource: 'status' },
        { metadata: { uid }, status: { notifications: patch } },
        { signal, answer: 'metadata' },
      );
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    return undefined;
  }
}

const namespaceOf = (stream: StreamKey): string => stream.slice(0, stream.indexOf('/'));
