/** The policy of one namespace kept current for its page: the object by a watch, or what is in the way. */
import type { NamespacePolicy } from '../../common/api/namespace-policy.ts';
import { POLICY_NAME } from '../../common/api/names.ts';
import type { PolicyPageState, PolicyRef } from '../../common/api/panels.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { isForbidden } from '../../common/kube/errors.ts';
import { Reflector } from '../../common/kube/reflector.ts';
import { namespacePolicies } from '../../common/kube/resource.ts';
import { problemOf } from '../clusters/problem.ts';
import type { Problem, ProblemAction } from '../clusters/problem.ts';
import { refusalOf } from '../clusters/rights.ts';
import type { Rights } from '../clusters/rights.ts';
import { policyView } from './policy-view.ts';

export interface PolicyFeedOptions {
  client: (cluster: string) => Promise<KubeClient>;
  rights: Pick<Rights, 'refusal'>;
  /** Epoch ms. */
  now: () => number;
  /** The page's state is another one; gathered. */
  onChange: () => void;
  onError: (doing: string, error: unknown) => void;
  gatherMs?: number;
  againMs?: number;
}

const GATHER_MS = 50;
/** Without a connection a watch does not try again by itself. */
const AGAIN_MS = 15_000;
export const RETRY_POLICY = 'retry';

export class PolicyFeed {
  readonly #options: PolicyFeedOptions;
  readonly ref: PolicyRef;
  #running: AbortController | undefined;
  #policy: NamespacePolicy | undefined;
  #isKnown = false;
  #problem: Problem | undefined;
  /** Why the person may not change what is there, or make what is not. */
  #refusals: { edit?: string | undefined; create?: string | undefined } = {};
  #timer: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;

  constructor(ref: PolicyRef, options: PolicyFeedOptions) {
    this.ref = ref;
    this.#options = options;
  }

  /** Watches, unless it does already. */
  start(): void {
    if (this.#running !== undefined) return;
    const running = new AbortController();
    this.#running = running;
    const failed = (error: unknown): void => {
      if (running.signal.aborted) return;
      this.#onError(error);
      this.#again = setTimeout(() => this.retry(), this.#options.againMs ?? AGAIN_MS);
    };
    this.#watch(running.signal).catch(failed);
    this.#askRights().catch((error: unknown) => this.#options.onError('asking what one may do', error));
  }

  /** Stops watching; what was seen stays. */
  stop(): void {
    this.#running?.abort();
    this.#running = undefined;
    clearTimeout(this.#timer);
    clearTimeout(this.#again);
    this.#timer = undefined;
  }

  /** Asks again for everything. */
  retry(): void {
    this.stop();
    this.#problem = undefined;
    this.start();
    this.#changed();
  }

  state(): PolicyPageState {
    const problem = this.#problem;
    const refusal = this.#policy === undefined ? this.#refusals.create : this.#refusals.edit;
    return {
      ref: this.ref,
      ...(this.#isKnown ? { view: policyView(this.ref.namespace, this.#policy, this.#options.now()) } : {}),
      ...(refusal === undefined ? {} : { editRefusal: refusal }),
      ...(problem === undefined
        ? {}
        : {
            problem: {
              title: problem.title,
              message: problem.message,
              remedy: problem.remedy,
              actions: [
                { id: RETRY_POLICY, title: 'Retry' },
                ...problem.actions
                  .filter(({ title }) => title !== 'Retry')
                  .map(({ command, title }) => ({ id: command, title })),
              ],
            },
          }),
    };
  }

  /** What an action of the shown problem does; undefined when it is not offered any more. */
  action(id: string): ProblemAction | undefined {
    return this.#problem?.actions.find(({ command }) => command === id);
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { cluster, namespace } = this.ref;
    const client = await this.#options.client(cluster);
    signal.throwIfAborted();
    await using reflector = new Reflector<NamespacePolicy>({
      client,
      resource: namespacePolicies,
      namespace,
      fieldSelector: `metadata.name=${POLICY_NAME}`,
      onError: (error) => this.#options.onError(`watching the policy of ${namespace}`, error),
    });
    const look = (): void => {
      this.#policy = reflector.store.get({ namespace, name: POLICY_NAME });
      this.#changed();
    };
    reflector.onChange(look);
    reflector.onState(({ phase, error }) => {
      if (signal.aborted) return;
      if (phase === 'synced') {
        this.#isKnown = true;
        this.#problem = undefined;
        look();
      } else if (error !== undefined) this.#onError(error);
    });
    reflector.start();
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  async #askRights(): Promise<void> {
    const { cluster, namespace } = this.ref;
    const { rights } = this.#options;
    const [edit, create] = await Promise.all([
      rights.refusal(cluster, namespace, 'editPolicy'),
      rights.refusal(cluster, namespace, 'createPolicy'),
    ]);
    this.#refusals = { edit, create };
    this.#changed();
  }

  #onError(error: unknown): void {
    const { cluster, namespace } = this.ref;
    this.#options.onError(`watching the policy of ${namespace}`, error);
    const problem = problemOf(error, cluster);
    this.#problem = isForbidden(error)
      ? {
          ...problem,
          title: 'You may not see the policy of this namespace',
          remedy: refusalOf('viewPolicy', namespace),
          actions: [],
        }
      : problem;
    this.#changed();
  }

  #changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#options.onChange();
    }, this.#options.gatherMs ?? GATHER_MS);
  }
}
