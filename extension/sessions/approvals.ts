/** Sessions that wait for this person's approval: counted for the badge, and told of when they begin to wait. */
import type { Session } from '../../common/api/session.ts';
import type { Me, Rights } from '../clusters/rights.ts';
import { Emitter } from '../ide/event.ts';
import type { Listen } from '../ide/event.ts';
import type { Policies } from '../policies/policies.ts';
import { decisionRefusal } from './approval.ts';
import { refKey, refOf } from './session-ref.ts';
import type { SessionRef } from './session-ref.ts';
import type { SessionWatch, SessionWatches } from './session-watch.ts';
import { waitsForApproval } from './state.ts';

export interface Awaiting {
  ref: SessionRef;
  session: Session;
}

export interface ApprovalsOptions {
  watches: Pick<SessionWatches, 'acquire'>;
  rights: Pick<Rights, 'refusal' | 'me'>;
  policies: Pick<Policies, 'of'>;
  onError: (error: unknown) => void;
}

/** Namespaces that are followed at once; the one seen first makes room. */
const FOLLOWED_MAX = 10;

export class Approvals {
  readonly #options: ApprovalsOptions;
  readonly #followed = new Map<string, SessionWatch>();
  readonly #asking = new Set<string>();
  readonly #waiting = new Map<string, Awaiting>();
  readonly #changed = new Emitter<void>();
  readonly #began = new Emitter<Awaiting>();

  constructor(options: ApprovalsOptions) {
    this.#options = options;
  }

  /** `waiting` has changed. */
  readonly onDidChange: Listen<void> = this.#changed.event;
  /** A session began to wait, after its namespace was seen for the first time. */
  readonly onDidBegin: Listen<Awaiting> = this.#began.event;

  /** Those that this person may approve, as far as is known. */
  get waiting(): readonly Awaiting[] {
    return [...this.#waiting.values()];
  }

  /**
   * A session was seen, by whichever watch. The first one in its namespace that waits for this person makes the
   * namespace be followed from then on, also while no view shows it: an approver wants to hear of the next.
   */
  seen(cluster: string, session: Session): void {
    if (!waitsForApproval(session)) return;
    const { namespace = '' } = session.metadata;
    const key = `${namespace}/${cluster}`;
    if (this.#followed.has(key) || this.#asking.has(key)) return;
    this.#asking.add(key);
    this.#options.rights
      .refusal(cluster, namespace, 'approve')
      .then((refusal) => {
        if (refusal === undefined) this.#follow(key, cluster, namespace);
      }, this.#options.onError)
      .finally(() => this.#asking.delete(key))
      .catch(this.#options.onError);
  }

  dispose(): void {
    for (const watch of this.#followed.values()) watch.dispose();
    this.#followed.clear();
  }

  #follow(key: string, cluster: string, namespace: string): void {
    const [oldest] = this.#followed.keys();
    if (this.#followed.size >= FOLLOWED_MAX && oldest !== undefined) this.#leave(oldest);
    const watch = this.#options.watches.acquire(cluster, namespace);
    this.#followed.set(key, watch);
    const since = new Set(watch.store.list().map(({ metadata }) => metadata.uid));
    for (const session of watch.store.list()) this.#look(cluster, session, false);
    watch.onChange(({ type, object }) => {
      const isNews =
        watch.state.phase === 'synced' && (type === 'updated' || !since.has(object.metadata.uid));
      if (type === 'deleted') this.#end(refOf(cluster, object));
      else this.#look(cluster, object, isNews);
    });
  }

  #leave(key: string): void {
    this.#followed.get(key)?.dispose();
    this.#followed.delete(key);
    for (const [name, { ref }] of this.#waiting)
      if (`${ref.namespace}/${ref.cluster}` === key) this.#waiting.delete(name);
    this.#changed.fire();
  }

  #look(cluster: string, session: Session, isNews: boolean): void {
    const ref = refOf(cluster, session);
    if (!waitsForApproval(session)) return this.#end(ref);
    if (this.#waiting.has(refKey(ref))) return void this.#waiting.set(refKey(ref), { ref, session });
    this.#facts(ref).then(({ me, approval }) => {
      if (decisionRefusal(session, { rbac: undefined, me, approval }) !== undefined) return;
      if (this.#waiting.has(refKey(ref)) || !this.#followed.has(`${ref.namespace}/${cluster}`)) return;
      const now = this.#followed.get(`${ref.namespace}/${cluster}`)?.store.get(ref.name);
      // It may have been decided while this was found out.
      if (now === undefined || !waitsForApproval(now)) return;
      this.#waiting.set(refKey(ref), { ref, session });
      this.#changed.fire();
      if (isNews) this.#began.fire({ ref, session });
    }, this.#options.onError);
  }

  async #facts({ cluster, namespace }: SessionRef): Promise<{
    me: Me | undefined;
    approval: Parameters<typeof decisionRefusal>[1]['approval'];
  }> {
    const [me, found] = await Promise.all([
      this.#options.rights.me(cluster),
      this.#options.policies.of(cluster, namespace).catch((error: unknown) => {
        this.#options.onError(error);
        return { known: 'unknown' } as const;
      }),
    ]);
    return { me, approval: found.known === 'policy' ? found.policy.spec.approval : undefined };
  }

  #end(ref: SessionRef): void {
    if (this.#waiting.delete(refKey(ref))) this.#changed.fire();
  }
}
