/** The policy of each namespace, as every door and controller decides by it. */
import type { NamespacePolicy } from '../../common/api/namespace-policy.ts';
import { POLICY_NAME } from '../../common/api/names.ts';
import type { ObjectStore } from '../../common/kube/object-store.ts';
import { effectivePolicy } from '../../common/rules/policy/effective.ts';
import type { EffectivePolicy } from '../../common/rules/policy/effective.ts';

const WITHOUT_POLICY = effectivePolicy(undefined);

export class Policies {
  readonly #store: ObjectStore<NamespacePolicy>;
  /** What was worked out of an object holds for as long as the store has that very object. */
  readonly #effective = new WeakMap<NamespacePolicy, EffectivePolicy>();

  constructor(store: ObjectStore<NamespacePolicy>) {
    this.#store = store;
  }

  object(namespace: string): NamespacePolicy | undefined {
    return this.#store.get({ namespace, name: POLICY_NAME });
  }

  /** Of a namespace without a policy: the defaults. */
  of(namespace: string): EffectivePolicy {
    const object = this.object(namespace);
    if (object === undefined) return WITHOUT_POLICY;
    let effective = this.#effective.get(object);
    if (effective === undefined) this.#effective.set(object, (effective = effectivePolicy(object.spec)));
    return effective;
  }
}
