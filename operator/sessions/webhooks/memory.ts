/** What bodies hold in memory while they come in, bounded for all of them together, as anybody may send one slowly. */
import { AmbientError } from '../../../common/errors.ts';

export class Memory {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** Of one body. Dispose of it when nothing of it is coming in any more. */
  share(): MemoryShare {
    let held = 0;
    return {
      hold: (bytes) => {
        if (bytes > this.#left)
          throw new AmbientError('unavailable', 'too many bodies are coming in at once');
        this.#left -= bytes;
        held += bytes;
      },
      [Symbol.dispose]: () => {
        this.#left += held;
        held = 0;
      },
    };
  }
}

export interface MemoryShare extends Disposable {
  /** Throws unavailable when there is no room. */
  hold(bytes: number): void;
}
