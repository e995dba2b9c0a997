/**
 * Delivers what sessions have made to their tenants' buckets, in the background. What is there already is not sent again, so that
 * a delivery that broke off goes on where it was, whoever goes on with it.
 */
import type { Session } from '../../../common/api/session.ts';
import { messageOf } from '../../../common/errors.ts';
import { keys, refOf } from '../../store/keys.ts';
import type { ArtifactStore } from '../../store/store.ts';
import { ExportProblem, openBucket } from './bucket.ts';
import type { BucketOptions, Storage } from './bucket.ts';

export interface ExporterOptions extends BucketOptions {
  store: ArtifactStore;
  /** Milliseconds of a clock that never goes back. */
  elapsed: () => number;
  signal: AbortSignal;
}

export type Delivery =
  | { state: 'delivered'; count: number; location: string }
  | { state: 'failed'; problem: string }
  /** Ask again after so long. */
  | { state: 'waiting'; againMs: number };

interface Work {
  outcome?: Exclude<Delivery, { state: 'waiting' }>;
  notBefore: number;
  failures: number;
}

const LOOK_MS = 500;
const AT_ONCE = 4;
const RETRY_MS = 15_000;
const RETRY_MAX_MS = 600_000;

export class Exporter {
  readonly #options: ExporterOptions;
  readonly #work = new Map<string, Work>();
  #running = 0;

  constructor(options: ExporterOptions) {
    this.#options = options;
  }

  /** Begins, or says how it stands. A failure is told once, and then tried again by and by. */
  deliver(session: Session, storage: Storage): Delivery {
    const { uid = '' } = session.metadata;
    const now = this.#options.elapsed();
    const work = this.#work.get(uid);
    if (work?.outcome !== undefined) {
      const { outcome } = work;
      delete work.outcome;
      if (outcome.state === 'delivered') this.#work.delete(uid);
      return outcome;
    }
    if (work !== undefined && work.notBefore > now)
      return { state: 'waiting', againMs: Math.min(work.notBefore - now, RETRY_MAX_MS) };
    if (work?.notBefore === -Infinity || this.#running >= AT_ONCE)
      return { state: 'waiting', againMs: LOOK_MS };
    // Never rejects: how it ended stands in the work.
    this.#run(session, storage, { failures: 0, ...work, notBefore: -Infinity }).catch(() => undefined);
    return { state: 'waiting', againMs: LOOK_MS };
  }

  async #run(session: Session, storage: Storage, work: Work): Promise<void> {
    this.#work.set(session.metadata.uid ?? '', work);
    this.#running++;
    try {
      const { count, location } = await this.#copy(session, storage);
      work.outcome = { state: 'delivered', count, location };
    } catch (error) {
      work.failures++;
      work.outcome = { state: 'failed', problem: messageOf(error) };
    } finally {
      this.#running--;
      const wait = Math.min(RETRY_MS * 2 ** (work.failures - 1), RETRY_MAX_MS);
      work.notBefore = this.#options.elapsed() + wait;
    }
  }

  async #copy(session: Session, storage: Storage): Promise<{ count: number; location: string }> {
    const { store, signal } = this.#options;
    const { namespace = '', name, uid = '' } = session.metadata;
    const from = keys.artifacts(refOf(session));
    // Names can be used again.
    const folder = `${namespace}/${name}-${uid.slice(0, 8)}/`;
    using bucket = await openBucket(this.#options, namespace, storage);
    let count = 0;
    for await (const info of store.list(from)) {
      signal.throwIfAborted();
      const target = folder + info.key.slice(from.length);
      count++;
      try {
        if ((await bucket.store.stat(target))?.digest === info.digest) continue;
        const { body } = await store.get(info.key);
        const { contentType, metadata, digest } = info;
        try {
          await bucket.store.put(target, body, { contentType, metadata, digest, signal });
        } finally {
          body.destroy();
        }
      } catch (error) {
        throw new ExportProblem(
          `${bucket.location}: ${messageOf(error).replace('the artifact store', 'the bucket').replace("the operator's", 'the')}`,
          { cause: error },
        );
      }
    }
    return { count, location: bucket.location + folder };
  }
}
