/** Keeps the NetworkPolicy of runner pods in every namespace with sessions: made before the first Job, put right when it changes. */
import type { Logger } from 'pino';
import type { NamespacePolicy } from '../../common/api/namespace-policy.ts';
import { POLICY_NAME, RUNNER_NETWORK_POLICY } from '../../common/api/names.ts';
import { isTerminal } from '../../common/api/session.ts';
import type { Session } from '../../common/api/session.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import type { NetworkPolicy } from '../../common/kube/core-types.ts';
import { isAlreadyExists, isNotFound, KubeError } from '../../common/kube/errors.ts';
import { sameJson } from '../../common/kube/patch.ts';
import type { Reflector } from '../../common/kube/reflector.ts';
import { networkPolicies } from '../../common/kube/resource.ts';
import type { Policies } from '../sessions/policies.ts';
import type { ApiServerAddresses } from './api-server-addresses.ts';
import type { Clock } from './clock.ts';
import { WorkQueue } from './queue.ts';
import { isOlder } from './resource-version.ts';
import { runnerNetworkPolicy } from './runner-network.ts';
import type { RunnerNetworkOptions } from './runner-network.ts';

export interface RunnerNetworkPoliciesOptions {
  client: KubeClient;
  /** Of the NetworkPolicies with that one name. */
  reflector: Reflector<NetworkPolicy>;
  namespacePolicies: Reflector<NamespacePolicy>;
  sessions: Reflector<Session>;
  policies: Pick<Policies, 'of'>;
  /** Never open. */
  apiServer: Pick<ApiServerAddresses, 'cidrs' | 'onChange'>;
  network: () => RunnerNetworkOptions;
  clock: Clock;
  random: () => number;
  log: Logger;
}

/** Namespaces put right at a time. */
const CONCURRENCY = 4;

export class RunnerNetworkPolicies {
  readonly #options: RunnerNetworkPoliciesOptions;
  readonly #queue: WorkQueue<string>;
  readonly #subscriptions = new DisposableStack();
  /** As this process last wrote it, until the watch has told. */
  readonly #written = new Map<string, NetworkPolicy>();
  readonly #writing = new Map<string, Promise<void>>();

  constructor(options: RunnerNetworkPoliciesOptions) {
    this.#options = options;
    const { clock, random, log } = options;
    this.#queue = new WorkQueue<string>({
      work: async (namespace, signal) => {
        if (this.#isNeeded(namespace)) await this.ensure(namespace, signal);
        return undefined;
      },
      onError: (namespace, err) =>
        log.warn({ namespace, err }, 'putting the network policy of the runners right failed'),
      concurrency: CONCURRENCY,
      clock,
      random,
    });
  }

  /** Call when the reflectors are synced. */
  start(): void {
    const { reflector, namespacePolicies, apiServer } = this.#options;
    this.#subscriptions.use(
      reflector.onChange(({ type, object }) => {
        const { namespace = '' } = object.metadata;
        if (type === 'deleted') this.#written.delete(namespace);
        this.#queue.add(namespace);
      }),
    );
    this.#subscriptions.use(
      namespacePolicies.onChange(({ object }) => this.#queue.add(object.metadata.namespace ?? '')),
    );
    this.#subscriptions.use(apiServer.onChange(() => this.#all()));
    this.#all();
  }

  /** Resolves when it is as it must be: no request when it is already. Throws KubeError. */
  async ensure(namespace: string, signal: AbortSignal): Promise<void> {
    // Twice, as a write under way may have begun before the policy changed.
    for (let round = 1; round <= 2 && !this.#isRight(namespace); round++) {
      let writing = this.#writing.get(namespace);
      if (writing === undefined) {
        writing = this.#write(namespace, signal).finally(() => this.#writing.delete(namespace));
        this.#writing.set(namespace, writing);
      }
      await writing;
    }
  }

  async close(drainMs: number): Promise<void> {
    this.#subscriptions.dispose();
    await this.#queue.close(drainMs);
  }

  #all(): void {
    const { reflector, sessions } = this.#options;
    for (const namespace of new Set([...reflector.store.namespaces(), ...sessions.store.namespaces()]))
      this.#queue.add(namespace);
  }

  /** A namespace where it stands already, or where something runs or will. */
  #isNeeded(namespace: string): boolean {
    const { reflector, namespacePolicies, sessions } = this.#options;
    return (
      reflector.store.get({ namespace, name: RUNNER_NETWORK_POLICY }) !== undefined ||
      namespacePolicies.store.get({ namespace, name: POLICY_NAME })?.spec.warmPods !== undefined ||
      sessions.store.list(namespace).some(({ status }) => !isTerminal(status?.phase))
    );
  }

  #wanted(namespace: string): NetworkPolicy {
    const { policies, apiServer, network } = this.#options;
    const { closed, ...rest } = network();
    return runnerNetworkPolicy(namespace, policies.of(namespace), {
      ...rest,
      closed: [...apiServer.cidrs, ...closed],
    });
  }

  #isRight(namespace: string): boolean {
    const found = this.#known(namespace);
    return found !== undefined && isSame(found, this.#wanted(namespace));
  }

  #known(namespace: string): NetworkPolicy | undefined {
    const seen = this.#options.reflector.store.get({ namespace, name: RUNNER_NETWORK_POLICY });
    const written = this.#written.get(namespace);
    if (written === undefined) return seen;
    if (seen === undefined || isOlder(seen.metadata.resourceVersion, written.metadata.resourceVersion))
      return written;
    this.#written.delete(namespace);
    return seen;
  }

  async #write(namespace: string, signal: AbortSignal): Promise<void> {
    const { client, log } = this.#options;
    const wanted = this.#wanted(namespace);
    const known = this.#known(namespace);
    try {
      if (known !== undefined) return await this.#replace(known, wanted, signal);
      this.#written.set(namespace, await client.create(networkPolicies, wanted, { signal }));
      log.info({ namespace }, 'network policy of the runners made');
    } catch (error) {
      const at = { namespace, name: RUNNER_NETWORK_POLICY };
      if (isAlreadyExists(error) || (error instanceof KubeError && error.status === 409))
        return await this.#replace(await client.get(networkPolicies, at, { signal }), wanted, signal);
      // Deleted, and the watch has yet to tell; or the namespace is gone, and the queue has nothing to do in it.
      if (isNotFound(error)) this.#written.delete(namespace);
      throw error;
    }
  }

  async #replace(found: NetworkPolicy, wanted: NetworkPolicy, signal: AbortSignal): Promise<void> {
    const { client, log } = this.#options;
    const { namespace = '' } = found.metadata;
    if (!isSame(found, wanted)) {
      const { resourceVersion, labels } = found.metadata;
      const metadata = {
        ...wanted.metadata,
        labels: { ...labels, ...wanted.metadata.labels },
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      };
      found = await client.replace(networkPolicies, { ...wanted, metadata }, { signal });
      log.info({ namespace }, 'network policy of the runners put right');
    }
    this.#written.set(namespace, found);
  }
}

const isSame = (found: NetworkPolicy, wanted: NetworkPolicy): boolean =>
  sameJson(found.spec, wanted.spec) &&
  Object.entries(wanted.metadata.labels ?? {}).every(
    ([name, value]) => found.metadata.labels?.[name] === value,
  );
