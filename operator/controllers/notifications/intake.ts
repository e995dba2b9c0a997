/** From the state of sessions and policies into the outbox, once each. A full store delays it: what there is to tell can be read again. */
import type { Logger } from 'pino';
import type { NamespacePolicy } from '../../../common/api/namespace-policy.ts';
import type { Session } from '../../../common/api/session.ts';
import type { Reflector } from '../../../common/kube/reflector.ts';
import { policyNotifications, sessionNotifications } from '../../record/notifications/events.ts';
import type { Notification } from '../../record/notifications/events.ts';
import type { Outbox, StreamKey } from '../../record/notifications/outbox.ts';
import { targetsOf } from '../../record/notifications/targets.ts';
import type { Target } from '../../record/notifications/targets.ts';
import type { Policies } from '../../sessions/policies.ts';
import { timestamp } from '../clock.ts';
import type { Clock } from '../clock.ts';
import { WorkQueue } from '../queue.ts';
import type { Result } from '../queue.ts';
import { UID_INDEX } from '../session/cleanup.ts';

export interface IntakeOptions {
  sessions: Reflector<Session>;
  namespacePolicies: Reflector<NamespacePolicy>;
  policies: Pick<Policies, 'object'>;
  outbox: Outbox;
  /** Where a session answers to; undefined: nowhere. */
  answerOf: (session: Session) => Target | undefined;
  /** Whether a session of the namespace may answer anywhere. */
  mayAnswer: (namespace: string) => boolean;
  onGrown: (grown: ReadonlyMap<StreamKey, number>) => void;
  onPolicy: (namespace: string) => void;
  /** All that is to be told of a session that is gone is in the outbox. */
  onGone: (namespace: string, uid: string) => Promise<void>;
  clock: Clock;
  random: () => number;
  log: Logger;
}

/** Of sessions by UID, so that what goes and what takes its name are two, and each is looked at by one worker at a time. */
type IntakeKey = `session:${string}` | `policy:${string}`;

/** Clocks of those who write times into a session may differ by so much from ours. */
const SKEW_MS = 5000;

export class Intake {
  readonly #options: IntakeOptions;
  readonly #queue: WorkQueue<IntakeKey>;
  readonly #subscriptions = new DisposableStack();
  /** Ids that are in the ledger for certain, by subject. */
  readonly #known = new Map<string, Set<string>>();
  /** Sessions as they were when they went, until what they gave cause for is in the outbox. */
  readonly #gone = new Map<string, Session>();
  readonly #since = new Map<string, number>();
  /** Namespaces whose part of the outbox is known to be clear. */
  readonly #unwanted = new Set<string>();

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#queue = new WorkQueue<IntakeKey>({
      work: (key) => this.#look(key),
      onError: (key, err, { attempt }) =>
        options.log.warn({ key, err, attempt }, 'notifications are delayed'),
      concurrency: 4,
      clock: options.clock,
      random: options.random,
    });
  }

  start(): void {
    const { sessions, namespacePolicies } = this.#options;
    this.#subscriptions.use(
      sessions.onChange(({ type, object }) => {
        if (this.#targetsOf(object).length === 0) return;
        const { uid = '' } = object.metadata;
        if (type === 'deleted') this.#gone.set(uid, object);
        this.#queue.add(`session:${uid}`);
      }),
    );
    this.#subscriptions.use(
      namespacePolicies.onChange(({ object }) =>
        this.#queue.add(`policy:${object.metadata.namespace ?? ''}`),
      ),
    );
    for (const { metadata } of namespacePolicies.store.list())
      this.#queue.add(`policy:${metadata.namespace ?? ''}`);
    for (const session of sessions.store.list())
      if (this.#targetsOf(session).length > 0) this.#queue.add(`session:${session.metadata.uid ?? ''}`);
  }

  async close(drainMs: number): Promise<void> {
    this.#subscriptions.dispose();
    await this.#queue.close(drainMs);
  }

  /** The session is gone, but not yet all that is to be told of it is in the outbox. */
  knows(subject: string): boolean {
    return this.#gone.has(subject);
  }

  #isWanted(namespace: string): boolean {
    return this.#targets(namespace).length > 0 || this.#options.mayAnswer(namespace);
  }

  /** Those of its namespace, and where its event came from. */
  #targetsOf(session: Session): readonly Target[] {
    const targets = this.#targets(session.metadata.namespace ?? '');
    const answer = this.#options.answerOf(session);
    return answer === undefined ? targets : [...targets, answer];
  }

  #targets(namespace: string): readonly Target[] {
    return targetsOf(this.#options.policies.object(namespace)?.spec.notifications);
  }

  async #look(key: IntakeKey): Promise<Result> {
    const colon = key.indexOf(':');
    const subject = key.slice(colon + 1);
    if (key.startsWith('policy:')) await this.#lookAtPolicy(subject);
    else await this.#lookAtSession(subject);
    return undefined;
  }

  async #lookAtSession(uid: string): Promise<void> {
    const gone = this.#gone.get(uid);
    const session = gone ?? this.#options.sessions.store.byIndex(UID_INDEX, uid)[0];
    if (session === undefined) return;
    const targets = this.#targetsOf(session);
    await this.#put(session.metadata.namespace ?? '', uid, sessionNotifications(session), targets);
    if (gone === undefined) return;
    this.#gone.delete(uid);
    this.#known.delete(uid);
    await this.#options.onGone(session.metadata.namespace ?? '', uid);
  }

  async #lookAtPolicy(namespace: string): Promise<void> {
    const { outbox, policies, onPolicy } = this.#options;
    const policy = policies.object(namespace);
    if (this.#isWanted(namespace)) {
      this.#unwanted.delete(namespace);
      await this.#wantedSince(namespace);
    } else if (!this.#unwanted.has(namespace)) {
      this.#since.delete(namespace);
      await outbox.forgetNamespace(namespace);
      this.#unwanted.add(namespace);
    }
    if (policy !== undefined)
      await this.#put(
        namespace,
        policy.metadata.uid ?? '',
        policyNotifications(policy),
        this.#targets(namespace),
      );
    onPolicy(namespace);
  }

  async #wantedSince(namespace: string): Promise<number> {
    const { outbox, clock } = this.#options;
    let since = this.#since.get(namespace);
    if (since === undefined)
      this.#since.set(namespace, (since = Date.parse(await outbox.since(namespace, timestamp(clock.now())))));
    return since;
  }

  async #put(
    namespace: string,
    subject: string,
    found: readonly Notification[],
    targets: readonly Target[],
  ): Promise<void> {
    if (targets.length === 0 || found.length === 0) return;
    const known = this.#known.get(subject);
    const since = (await this.#wantedSince(namespace)) - SKEW_MS;
    const fresh = found.filter(
      ({ id, timestamp: at }) => known?.has(id) !== true && !(Date.parse(at) < since),
    );
    if (fresh.length === 0) return;
    // What nobody wants goes into the ledger too: a target that is added later is told of what comes later.
    const notifications = fresh.map((notification) => ({
      notification,
      targets: targets.filter(({ events }) => events.includes(notification.event)).map(({ id }) => id),
    }));
    const { outbox, clock, onGrown } = this.#options;
    const grown = await outbox.put(namespace, subject, notifications, timestamp(clock.now()));
    this.#known.set(subject, new Set([...(known ?? []), ...fresh.map(({ id }) => id)]));
    onGrown(grown);
  }
}
