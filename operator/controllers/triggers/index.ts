/** The controller of triggers: keeps their status telling whether they are right, and what they have made. It starts nothing itself. */
import type { Logger } from 'pino';
import type { Framework } from '../../../common/api/framework.ts';
import type { Session } from '../../../common/api/session.ts';
import type { SessionTrigger } from '../../../common/api/session-trigger.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import { isConflict, isNotFound } from '../../../common/kube/errors.ts';
import { mergePatchOf } from '../../../common/kube/patch.ts';
import type { Reflector } from '../../../common/kube/reflector.ts';
import { sessionTriggers } from '../../../common/kube/resource.ts';
import type { Clock } from '../clock.ts';
import { WorkQueue } from '../queue.ts';
import type { Result } from '../queue.ts';
import { isOlder } from '../resource-version.ts';
import { statusOf } from './status.ts';

/** Index of the store of sessions, by `namespace/name` of the trigger they say made them. */
export const TRIGGER_INDEX = 'trigger';
export const byTrigger = ({ metadata, spec }: Session): string[] =>
  spec.trigger?.name === undefined ? [] : [`${metadata.namespace ?? ''}/${spec.trigger.name}`];

export interface TriggerControllerOptions {
  client: KubeClient;
  reflectors: {
    sessions: Reflector<Session>;
    sessionTriggers: Reflector<SessionTrigger>;
    frameworks: Reflector<Framework>;
  };
  /** The only one who is believed when a session says which trigger made it; anybody can write that. */
  operatorUser: string;
  clock: Clock;
  random: () => number;
  log: Logger;
}

/** Between two writes of figures, for which nobody waits. */
const FIGURES_MS = 2000;

type TriggerKey = `${string}/${string}`;

export class TriggerController {
  readonly #options: TriggerControllerOptions;
  readonly #queue: WorkQueue<TriggerKey>;
  readonly #subscriptions = new DisposableStack();
  /** resourceVersion as this process wrote it last. */
  readonly #written = new Map<TriggerKey, string>();

  constructor(options: TriggerControllerOptions) {
    this.#options = options;
    const { clock, random, log } = options;
    this.#queue = new WorkQueue<TriggerKey>({
      work: (key, signal) => this.#reconcile(key, signal),
      onError: (trigger, err, { attempt }) =>
        log.warn({ trigger, err, attempt }, 'reconciling a trigger failed'),
      concurrency: 2,
      clock,
      random,
    });
  }

  /** Call when the reflectors are synced. */
  start(): void {
    const { sessions, sessionTriggers: triggers, frameworks } = this.#options.reflectors;
    const all = (): void => {
      for (const trigger of triggers.store.list()) this.#queue.add(keyOf(trigger));
    };
    this.#subscriptions.use(
      triggers.onChange(({ type, object }) => {
        const key = keyOf(object);
        if (type === 'deleted') {
          this.#queue.forget(key);
          this.#written.delete(key);
        } else this.#queue.add(key);
      }),
    );
    this.#subscriptions.use(
      sessions.onChange(({ object }) => {
        for (const key of byTrigger(object)) this.#queue.addAfter(key as TriggerKey, FIGURES_MS);
      }),
    );
    // What is right depends on which frameworks there are.
    this.#subscriptions.use(frameworks.onChange(all));
    all();
  }

  async close(drainMs: number): Promise<void> {
    this.#subscriptions.dispose();
    await this.#queue.close(drainMs);
  }

  async #reconcile(key: TriggerKey, signal: AbortSignal): Promise<Result> {
    const { client, reflectors, operatorUser, clock } = this.#options;
    const [namespace = '', name = ''] = key.split('/');
    const trigger = reflectors.sessionTriggers.store.get({ namespace, name });
    if (trigger === undefined || trigger.metadata.deletionTimestamp !== undefined) return undefined;
    const { uid, resourceVersion } = trigger.metadata;
    // The event that brings our own last write brings this trigger again.
    if (isOlder(resourceVersion, this.#written.get(key))) return undefined;
    const next = statusOf(trigger, {
      frameworks: reflectors.frameworks.store.list(),
      sessions: reflectors.sessions.store
        .byIndex(TRIGGER_INDEX, key)
        .filter(({ spec }) => spec.createdBy?.user === operatorUser),
      now: clock.now(),
    });
    const patch = mergePatchOf(trigger.status ?? {}, next);
    if (patch === undefined) return undefined;
    try {
      const answer = await client.mergePatch(
        sessionTriggers,
        { namespace, name, subresource: 'status' },
        { metadata: { uid, resourceVersion }, status: patch },
        { signal, answer: 'metadata' },
      );
      this.#written.set(key, answer.metadata.resourceVersion ?? '');
    } catch (error) {
      if (isConflict(error)) return { requeueAfterMs: 500 };
      if (!isNotFound(error)) throw error;
    }
    return undefined;
  }
}

const keyOf = ({ metadata }: SessionTrigger): TriggerKey => `${metadata.namespace ?? ''}/${metadata.name}`;
