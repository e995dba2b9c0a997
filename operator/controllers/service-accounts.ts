/** The ServiceAccount of runner pods, one a namespace, made when the first session of the namespace needs it. */
import type { Logger } from 'pino';
import { LABEL_MANAGED_BY, MANAGED_BY, RUNNER_SERVICE_ACCOUNT } from '../../common/api/names.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import type { ServiceAccount } from '../../common/kube/core-types.ts';
import { isAlreadyExists } from '../../common/kube/errors.ts';
import type { Reflector } from '../../common/kube/reflector.ts';
import { serviceAccounts } from '../../common/kube/resource.ts';

export class RunnerServiceAccounts implements Disposable {
  readonly #client: KubeClient;
  readonly #reflector: Reflector<ServiceAccount>;
  readonly #log: Logger;
  readonly #subscription: Disposable;
  /** Made by us and not yet seen by the watch, or being made. */
  readonly #made = new Map<string, Promise<void>>();

  /** @param reflector of the ServiceAccounts with that one name */
  constructor(options: { client: KubeClient; reflector: Reflector<ServiceAccount>; log: Logger }) {
    this.#client = options.client;
    this.#reflector = options.reflector;
    this.#log = options.log;
    this.#subscription = this.#reflector.onChange(({ object }) =>
      this.#made.delete(object.metadata.namespace ?? ''),
    );
  }

  /** One request for the first session of a namespace, none for the others. Failure is logged: the next session tries again. */
  async ensure(namespace: string, signal: AbortSignal): Promise<void> {
    if (this.#reflector.store.get({ namespace, name: RUNNER_SERVICE_ACCOUNT }) !== undefined) return;
    let making = this.#made.get(namespace);
    if (making === undefined) this.#made.set(namespace, (making = this.#make(namespace, signal)));
    await making;
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }

  async #make(namespace: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#client.create(
        serviceAccounts,
        {
          apiVersion: 'v1',
          kind: 'ServiceAccount',
          metadata: {
            name: RUNNER_SERVICE_ACCOUNT,
            namespace,
            labels: { [LABEL_MANAGED_BY]: MANAGED_BY },
          },
          automountServiceAccountToken: false,
        },
        { signal },
      );
    } catch (err) {
      if (isAlreadyExists(err)) return;
      this.#made.delete(namespace);
      this.#log.warn({ namespace, err }, 'creating the service account of the runners failed');
    }
  }
}
