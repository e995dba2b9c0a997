/** Events without VS Code: the shape of vscode.Event, usable in code that unit tests run on plain Node. */

export interface Unsubscribe {
  dispose(): void;
}

/** Compatible with vscode.Event<T>. */
export type Listen<T> = (listener: (value: T) => unknown) => Unsubscribe;

export class Emitter<T> {
  readonly #listeners = new Set<(value: T) => unknown>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void = (error) => process.emitWarning(String(error))) {
    this.#onError = onError;
  }

  readonly event: Listen<T> = (listener) => {
    // A wrapper of its own, so that the same function may listen twice.
    const own = (value: T): unknown => listener(value);
    this.#listeners.add(own);
    return { dispose: () => void this.#listeners.delete(own) };
  };

  get hasListeners(): boolean {
    return this.#listeners.size > 0;
  }

  /** One listener that throws does not keep the event from the others. */
  fire(value: T): void {
    for (const listener of [...this.#listeners])
      try {
        listener(value);
      } catch (error) {
        this.#onError(error);
      }
  }

  dispose(): void {
    this.#listeners.clear();
  }
}
