/**
 * Buckets that all replicas see: a time each in one ConfigMap of the operator's namespace, changed only as it was read. What is
 * asked for while a write is under way goes into the next one, so that a burst costs a few writes, and replicas meet seldom. A
 * bucket that is full stands nowhere, so that only those in use are kept (docs/decisions/0022-rates-over-replicas.md).
 */
import type { ConfigMap } from '../../../common/kube/core-types.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import { AmbientError } from '../../../common/errors.ts';
import { abortable } from '../../../common/kube/abortable.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../../common/kube/errors.ts';
import { configMaps } from '../../../common/kube/resource.ts';
import { take } from '../../../common/rules/gcra.ts';
import type { Rate } from '../../../common/rules/gcra.ts';
import type { Buckets } from './rate-limits.ts';

export interface SharedBucketsOptions {
  client: Pick<KubeClient, 'create' | 'get' | 'mergePatch'>;
  namespace: string;
  now: () => number;
}

export const RATES_CONFIG_MAP = 'ambient-webhook-rates';

const ATTEMPTS = 30;
const WRITE_MS = 5000;
/** The clocks of replicas differ by less: a bucket that is full for one may still fill for another. */
const SKEW_MS = 60_000;

interface Asker {
  name: string;
  rate: Rate;
  signal: AbortSignal;
  settle: (waitMs: number) => void;
  fail: (error: unknown) => void;
}

interface State {
  version: string;
  fullAt: Map<string, number>;
}

export class SharedBuckets implements Buckets {
  readonly #options: SharedBucketsOptions;
  #askers: Asker[] = [];
  #isWriting = false;
  #state: State | undefined;

  constructor(options: SharedBucketsOptions) {
    this.#options = options;
  }

  async take(name: string, rate: Rate, signal: AbortSignal): Promise<number> {
    // Others can only have taken more since it was read.
    const known = this.#state?.fullAt.get(name);
    if (known !== undefined) {
      const { count, waitMs } = take(known, this.#options.now(), rate);
      if (count === 0) return waitMs;
    }
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#askers.push({ name, rate, signal, settle: resolve, fail: reject });
    this.#work().catch(reject);
    return await abortable(promise, signal);
  }

  async #work(): Promise<void> {
    if (this.#isWriting) return;
    this.#isWriting = true;
    try {
      while (this.#askers.length > 0) {
        // Nothing is taken for those who have gone meanwhile.
        const askers = this.#askers.filter(({ signal }) => !signal.aborted);
        this.#askers = [];
        if (askers.length === 0) return;
        try {
          await this.#serve(askers);
        } catch (error) {
          this.#state = undefined;
          for (const { fail } of askers) fail(error);
        }
      }
    } finally {
      this.#isWriting = false;
    }
  }

  async #serve(askers: readonly Asker[]): Promise<void> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const state = (this.#state ??= await this.#read());
      const { waits, changed } = this.#taken(state, askers);
      if (changed.size > 0 && !(await this.#write(state, changed))) {
        this.#state = undefined;
        continue;
      }
      for (const [index, { settle }] of askers.entries()) settle(waits[index] ?? 0);
      return;
    }
    throw new AmbientError('unavailable', 'the rates of webhooks change all the time');
  }

  /** What each has to wait, and the buckets that become others by it. */
  #taken({ fullAt }: State, askers: readonly Asker[]): { waits: number[]; changed: Map<string, number> } {
    const now = this.#options.now();
    const changed = new Map<string, number>();
    const waits = askers.map(({ name, rate }) => {
      const { count, fullAt: next, waitMs } = take(changed.get(name) ?? fullAt.get(name), now, rate);
      if (count > 0) changed.set(name, next);
      return waitMs;
    });
    return { waits, changed };
  }

  async #read(): Promise<State> {
    const { client, namespace } = this.#options;
    const signal = AbortSignal.timeout(WRITE_MS);
    const at = { namespace, name: RATES_CONFIG_MAP };
    try {
      return stateOf(await client.get(configMaps, at, { signal }));
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    const empty: ConfigMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: at, data: {} };
    try {
      return stateOf(await client.create(configMaps, empty, { signal }));
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      return stateOf(await client.get(configMaps, at, { signal }));
    }
  }

  /** Whether it was still as it was read. */
  async #write({ version, fullAt }: State, changed: ReadonlyMap<string, number>): Promise<boolean> {
    const { client, namespace, now } = this.#options;
    const data: Record<string, string | null> = {};
    for (const [name, at] of fullAt) if (at < now() - SKEW_MS) data[name] = null;
    for (const [name, at] of changed) data[name] = String(at);
    try {
      const written = await client.mergePatch(
        configMaps,
        { namespace, name: RATES_CONFIG_MAP },
        { metadata: { resourceVersion: version }, data },
        { signal: AbortSignal.timeout(WRITE_MS) },
      );
      this.#state = stateOf(written);
      return true;
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) return false;
      throw error;
    }
  }
}

function stateOf({ metadata, data = {} }: ConfigMap): State {
  const fullAt = new Map<string, number>();
  for (const [name, text] of Object.entries(data)) {
    const at = Number(text);
    if (Number.isFinite(at)) fullAt.set(name, at);
  }
  return { version: metadata.resourceVersion ?? '', fullAt };
}
