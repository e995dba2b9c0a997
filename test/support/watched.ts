/** A reflector that a test feeds by hand, for what a real API server does not do on demand. */
import type { KubeObject } from '../../common/api/kubernetes.ts';
import { ObjectStore } from '../../common/kube/object-store.ts';
import type { Index } from '../../common/kube/object-store.ts';
import { Reflector } from '../../common/kube/reflector.ts';
import type { Change } from '../../common/kube/reflector.ts';

export interface Watched<T extends KubeObject> {
  /** What controllers are given. */
  reflector: Reflector<T>;
  store: ObjectStore<T>;
  /** The watch tells of the object as it is now. */
  tell(object: T): void;
  /** The watch tells that it is gone. */
  drop(object: T): void;
}

export function watched<T extends KubeObject>(indexes: Readonly<Record<string, Index<T>>> = {}): Watched<T> {
  const store = new ObjectStore<T>({ cluster: 'test', indexes });
  const listeners = new Set<(change: Change<T>) => void>();
  const reflector = Object.create(Reflector.prototype, {
    store: { value: store },
    onChange: {
      value: (listener: (change: Change<T>) => void): Disposable => {
        listeners.add(listener);
        return { [Symbol.dispose]: () => listeners.delete(listener) };
      },
    },
  }) as Reflector<T>;
  const emit = (change: Change<T>): void => {
    for (const listener of listeners) listener(change);
  };
  return {
    reflector,
    store,
    tell(object) {
      const previous = store.upsert(object);
      emit({
        type: previous === undefined ? 'added' : 'updated',
        object,
        ...(previous === undefined ? {} : { previous }),
      });
    },
    drop(object) {
      store.remove(object.metadata);
      emit({ type: 'deleted', object });
    },
  };
}
