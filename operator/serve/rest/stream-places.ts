/** How many streams are open at a time, in all and of one person: each holds a connection and memory for as long as it likes. */
import { AmbientError } from '../../../common/errors.ts';

export interface StreamPlacesOptions {
  most: number;
  perPerson: number;
}

const RETRY_SECONDS = 5;

export class StreamPlaces {
  readonly #options: StreamPlacesOptions;
  readonly #taken = new Map<string, number>();
  #all = 0;

  constructor(options: StreamPlacesOptions) {
    this.#options = options;
  }

  /** Free again when it is disposed of. Throws rate_limit_exceeded. */
  take(person: string): Disposable {
    const { most, perPerson } = this.#options;
    const own = this.#taken.get(person) ?? 0;
    if (this.#all >= most || own >= perPerson)
      throw new AmbientError('rate_limit_exceeded', 'too many streams are open', {
        details: { retryAfterSeconds: RETRY_SECONDS },
      });
    this.#all++;
    this.#taken.set(person, own + 1);
    return {
      [Symbol.dispose]: () => {
        this.#all--;
        const left = (this.#taken.get(person) ?? 1) - 1;
        if (left === 0) this.#taken.delete(person);
        else this.#taken.set(person, left);
      },
    };
  }
}
