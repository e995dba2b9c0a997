/** Objects of one resource in memory, read synchronously by name, namespace or index. A reflector keeps it current. */
import type { KubeObject } from '../api/kubernetes.ts';

/** The values under which an object is found. Must depend on the object alone, so it can be computed again to remove it. */
export type Index<T> = (object: T) => readonly string[];

export interface ObjectStoreOptions<T> {
  /** Connection.cluster. */
  cluster: string;
  indexes?: Readonly<Record<string, Index<T>>>;
}

export interface StoreKey {
  /** '' for cluster-scoped objects. */
  namespace?: string | undefined;
  name: string;
}

export class ObjectStore<T extends KubeObject> {
  readonly cluster: string;
  readonly #indexes: readonly { name: string; of: Index<T>; found: Map<string, Set<T>> }[];
  readonly #namespaces = new Map<string, Map<string, T>>();
  #size = 0;

  constructor(options: ObjectStoreOptions<T>) {
    this.cluster = options.cluster;
    this.#indexes = Object.entries(options.indexes ?? {}).map(([name, of]) => ({
      name,
      of,
      found: new Map(),
    }));
  }

  get size(): number {
    return this.#size;
  }

  /** Objects are shared with every other reader: never change one. */
  get(key: StoreKey): T | undefined {
    return this.#namespaces.get(key.namespace ?? '')?.get(key.name);
  }

  /** Of one namespace, or all. */
  list(namespace?: string): T[] {
    if (namespace !== undefined) return [...(this.#namespaces.get(namespace)?.values() ?? [])];
    const all: T[] = [];
    for (const objects of this.#namespaces.values()) for (const object of objects.values()) all.push(object);
    return all;
  }

  /** Namespaces that hold an object. */
  namespaces(): string[] {
    return [...this.#namespaces.keys()];
  }

  /** Throws RangeError for an index the store was not made with. */
  byIndex(index: string, value: string): T[] {
    return [...(this.#index(index).get(value) ?? [])];
  }

  countByIndex(index: string, value: string): number {
    return this.#index(index).get(value)?.size ?? 0;
  }

  /** Returns what it replaced. For the reflector alone. */
  upsert(object: T): T | undefined {
    const namespace = object.metadata.namespace ?? '';
    let objects = this.#namespaces.get(namespace);
    if (objects === undefined) this.#namespaces.set(namespace, (objects = new Map<string, T>()));
    const previous = objects.get(object.metadata.name);
    if (previous === undefined) this.#size += 1;
    else this.#forget(previous);
    objects.set(object.metadata.name, object);
    for (const { of, found } of this.#indexes) {
      for (const value of of(object)) {
        const set = found.get(value);
        if (set === undefined) found.set(value, new Set([object]));
        else set.add(object);
      }
    }
    return previous;
  }

  /** Returns what it removed. For the reflector alone. */
  remove(key: StoreKey): T | undefined {
    const namespace = key.namespace ?? '';
    const objects = this.#namespaces.get(namespace);
    const object = objects?.get(key.name);
    if (objects === undefined || object === undefined) return undefined;
    objects.delete(key.name);
    if (objects.size === 0) this.#namespaces.delete(namespace);
    this.#size -= 1;
    this.#forget(object);
    return object;
  }

  /** Removes what is not in `kept`, giving each removed object. For the reflector alone. */
  *retain(kept: ReadonlySet<T>): Generator<T, void, undefined> {
    for (const object of this.list()) {
      if (!kept.has(object)) {
        this.remove({ namespace: object.metadata.namespace, name: object.metadata.name });
        yield object;
      }
    }
  }

  #index(index: string): ReadonlyMap<string, Set<T>> {
    const entry = this.#indexes.find(({ name }) => name === index);
    if (entry === undefined) throw new RangeError(`no index named ${index}`);
    return entry.found;
  }

  #forget(object: T): void {
    for (const { of, found } of this.#indexes) {
      for (const value of of(object)) {
        const set = found.get(value);
        set?.delete(object);
        if (set?.size === 0) found.delete(value);
      }
    }
  }
}
