/**
 * Leader election by a Lease: of several operators one leads. Whether a lease has run out is measured by one's own clock
 * from when one last saw it change, never by comparing times written by others, so clocks need not agree.
 */
import type { Logger } from 'pino';
import type { KubeClient } from '../../common/kube/client.ts';
import type { Lease } from '../../common/kube/core-types.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../common/kube/errors.ts';
import { leases } from '../../common/kube/resource.ts';
import { delay } from './clock.ts';
import type { Clock } from './clock.ts';

export interface LeaderOptions {
  client: KubeClient;
  namespace: string;
  name: string;
  /** Of this process, or of something that can run only one at a time, such as a pod: it takes its own lease back at once. */
  identity: string;
  clock: Clock;
  random: () => number;
  log: Logger;
  /** How long a lease lasts that is not renewed. A leader that cannot renew gives up after two thirds of it. */
  leaseMs?: number;
  onChange?: (leading: boolean) => void;
}

const LEASE_MS = 15_000;

/** Why `lead` must end: at once, as another may lead already. */
export class LeaseLost extends Error {}

export class LeaderElection {
  readonly #options: LeaderOptions;
  readonly #leaseMs: number;
  /** The lease as last seen, and when by our own clock. */
  #seen: { version: string; at: number } | undefined;

  constructor(options: LeaderOptions) {
    this.#options = options;
    this.#leaseMs = options.leaseMs ?? LEASE_MS;
  }

  /**
   * Runs `lead` whenever this process leads, until the signal aborts. The signal given to `lead` aborts when leadership
   * is lost or everything ends; `lead` must then come to an end, and only after it did is the lease given back.
   * Resolves when the outer signal has aborted and all is done. What `lead` throws ends the election and is thrown.
   */
  async run(signal: AbortSignal, lead: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { log, identity, onChange } = this.#options;
    while (!signal.aborted) {
      let lease = await this.#acquire(signal);
      if (lease === undefined) break;
      log.info({ identity }, 'leading');
      onChange?.(true);
      const term = new AbortController();
      const ending = AbortSignal.any([signal, term.signal]);
      const leading = lead(ending).finally(() => term.abort(new Error('leading has ended')));
      // Its failure is awaited below; until then renewing must go on.
      leading.catch(() => undefined);
      try {
        lease = await this.#renew(lease, ending);
        term.abort(new LeaseLost('the lease was lost'));
        await leading;
      } finally {
        onChange?.(false);
      }
      if (lease !== undefined) await this.#release(lease);
      log.info({ identity }, 'no longer leading');
    }
  }

  /** Tries until it has the lease; undefined when aborted. */
  async #acquire(signal: AbortSignal): Promise<Lease | undefined> {
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      try {
        const lease = await this.#try(signal);
        if (lease !== undefined) return lease;
      } catch (err) {
        if (signal.aborted) break;
        log.warn({ err }, 'trying to lead failed');
      }
      await delay(clock, this.#spread(this.#leaseMs / 7.5), signal).catch(() => undefined);
    }
    return undefined;
  }

  async #try(signal: AbortSignal): Promise<Lease | undefined> {
    const { client, namespace, name, identity, clock } = this.#options;
    const spec = this.#spec(0);
    try {
      const lease = await client.get(leases, { namespace, name }, { signal });
      const version = lease.metadata.resourceVersion ?? '';
      if (this.#seen?.version !== version) this.#seen = { version, at: clock.elapsed() };
      const { holderIdentity = '', leaseDurationSeconds = 0, leaseTransitions = 0 } = lease.spec ?? {};
      const free =
        holderIdentity === '' ||
        holderIdentity === identity ||
        clock.elapsed() > this.#seen.at + leaseDurationSeconds * 1000;
      if (!free) return undefined;
      return await client.replace(
        leases,
        { ...lease, spec: { ...spec, leaseTransitions: leaseTransitions + 1 } },
        { signal },
      );
    } catch (error) {
      // Somebody else was faster.
      if (isConflict(error)) return undefined;
      if (!isNotFound(error)) throw error;
    }
    try {
      return await client.create(
        leases,
        { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace }, spec },
        { signal },
      );
    } catch (error) {
      if (isAlreadyExists(error)) return undefined;
      throw error;
    }
  }

  /** Renews until aborted (gives back the lease, still held) or lost (undefined). */
  async #renew(held: Lease, signal: AbortSignal): Promise<Lease | undefined> {
    const { client, clock, log } = this.#options;
    const patienceMs = (this.#leaseMs * 2) / 3;
    let lease = held;
    let renewed = clock.elapsed();
    for (let pauseMs = this.#leaseMs / 3; ;) {
      try {
        await delay(clock, this.#spread(pauseMs), signal);
      } catch {
        return lease;
      }
      const left = renewed + patienceMs - clock.elapsed();
      if (left <= 0) {
        log.error('the lease could not be renewed in time');
        return undefined;
      }
      try {
        using deadline = abortAfter(clock, left);
        const sent = clock.elapsed();
        lease = await client.replace(
          leases,
          {
            ...lease,
            spec: {
              ...lease.spec,
              ...this.#spec(lease.spec?.leaseTransitions ?? 0),
              acquireTime: lease.spec?.acquireTime ?? '',
            },
          },
          { signal: AbortSignal.any([signal, deadline.signal]) },
        );
        renewed = sent;
        pauseMs = this.#leaseMs / 3;
      } catch (err) {
        if (signal.aborted) return lease;
        if (isConflict(err) || isNotFound(err)) {
          log.error({ err }, 'the lease was taken away');
          return undefined;
        }
        log.warn({ err }, 'renewing the lease failed');
        pauseMs = this.#leaseMs / 15;
      }
    }
  }

  async #release(lease: Lease): Promise<void> {
    const { client, log, clock } = this.#options;
    try {
      using deadline = abortAfter(clock, 3000);
      await client.replace(
        leases,
        { ...lease, spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1 } },
        { signal: deadline.signal },
      );
    } catch (err) {
      // It runs out by itself.
      if (!isConflict(err)) log.warn({ err }, 'giving back the lease failed');
    }
  }

  #spec(leaseTransitions: number): NonNullable<Lease['spec']> {
    const now = new Date(this.#options.clock.now()).toISOString().replace('Z', '000Z');
    return {
      holderIdentity: this.#options.identity,
      leaseDurationSeconds: Math.max(1, Math.ceil(this.#leaseMs / 1000)),
      acquireTime: now,
      renewTime: now,
      leaseTransitions,
    };
  }

  #spread(milliseconds: number): number {
    return milliseconds * (0.8 + 0.2 * this.#options.random());
  }
}

function abortAfter(clock: Clock, milliseconds: number): Disposable & { signal: AbortSignal } {
  const controller = new AbortController();
  const timer = clock.timer(milliseconds, () => controller.abort(new Error('it took too long')));
  return { signal: controller.signal, [Symbol.dispose]: () => timer[Symbol.dispose]() };
}
