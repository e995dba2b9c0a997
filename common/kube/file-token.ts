/** A bearer token in a file that somebody else renews, as kubelet does with a pod's bound token. */
import { readFile } from 'node:fs/promises';
import { messageOf } from '../errors.ts';
import { KubeError } from './errors.ts';

/** The kubelet renews at 80 % of an hour or more; a file read this often costs nothing. */
const REREAD_MS = 10_000;

export class FileToken {
  readonly #path: string;
  readonly #now: () => number;
  #token: string | undefined;
  #readAt = -Infinity;

  constructor(path: string, now: () => number = Date.now) {
    this.#path = path;
    this.#now = now;
  }

  /** Throws KubeError CredentialsFailed when the file cannot be read and never could. */
  async authorization(): Promise<string> {
    if (this.#token === undefined || this.#now() - this.#readAt >= REREAD_MS) {
      this.#readAt = this.#now();
      try {
        this.#token = (await readFile(this.#path, 'utf8')).trim();
      } catch (error) {
        if (this.#token === undefined) {
          throw new KubeError(`the token file ${this.#path} cannot be read: ${messageOf(error)}`, {
            status: 0,
            reason: 'CredentialsFailed',
            remedy: 'Correct tokenFile in the kubeconfig, or sign in again so that the file is written.',
            cause: error,
          });
        }
      }
    }
    return `Bearer ${this.#token ?? ''}`;
  }

  /** True: the file may have changed since it was read. */
  invalidate(): boolean {
    this.#readAt = -Infinity;
    return true;
  }
}
