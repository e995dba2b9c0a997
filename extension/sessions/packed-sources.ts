/** Archives that were packed in this window and may still be wanted, by digest: a YAML being edited refers to one. */
import type { SourceArchive } from './source-archive.ts';

/** They can be large: the newest few are kept. */
const KEPT = 3;

export class PackedSources implements AsyncDisposable {
  readonly #archives = new Map<string, SourceArchive>();

  get(digest: string): SourceArchive | undefined {
    return this.#archives.get(digest);
  }

  async keep(archive: SourceArchive): Promise<void> {
    const same = this.#archives.get(archive.digest);
    this.#archives.delete(archive.digest);
    this.#archives.set(archive.digest, archive);
    if (same !== undefined && same !== archive) await same[Symbol.asyncDispose]();
    const [oldest] = this.#archives.keys();
    if (this.#archives.size > KEPT && oldest !== undefined) await this.forget(oldest);
  }

  async forget(digest: string): Promise<void> {
    const archive = this.#archives.get(digest);
    this.#archives.delete(digest);
    await archive?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#archives.keys()].map((digest) => this.forget(digest)));
  }
}
