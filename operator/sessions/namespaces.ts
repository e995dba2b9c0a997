/** Namespaces, as the doors see them. */
import type { Namespace } from '../../common/kube/core-types.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { isNotFound } from '../../common/kube/errors.ts';
import type { ObjectStore } from '../../common/kube/object-store.ts';
import { namespaces } from '../../common/kube/resource.ts';

export class Namespaces {
  readonly #store: ObjectStore<Namespace>;
  readonly #client: KubeClient;

  constructor(store: ObjectStore<Namespace>, client: KubeClient) {
    this.#store = store;
    this.#client = client;
  }

  names(): string[] {
    return this.#store
      .list()
      .map(({ metadata }) => metadata.name)
      .sort();
  }

  /** Asks the API server about one that is not known: it may be a moment old. Throws KubeError. */
  async exists(name: string, signal?: AbortSignal): Promise<boolean> {
    if (this.#store.get({ name }) !== undefined) return true;
    if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name)) return false;
    try {
      await this.#client.get(namespaces, { name }, { signal });
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }
}
