/**
 * Delivers what sessions have made to their tenants' buckets, in the background. What is there already is not sent again, so that
 * a delivery that broke off goes on where it was, whoever goes on with it.
 */
import type { Session } from '../../../common/api/session.ts';
import { messageOf } from '../../../common/errors.ts';
import { keys, refOf } from '../../store/keys.ts';
import type { ArtifactStore } from '../../store/store.ts';
import { Background } from '../background.ts';
import type { Waiting } from '../background.ts';
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
  | Waiting;

export class Exporter {
  readonly #options: ExporterOptions;
  readonly #background: Background<Exclude<Delivery, Waiting>>;

  constructor(options: ExporterOptions) {
    this.#options = options;
    this.#background = new Background(options);
  }

  /** Begins, or says how it stands. A failure is told once, and then tried again by and by. */
  deliver(session: Session, storage: Storage): Delivery {
    return this.#background.of(session.metadata.uid ?? '', async () => {
      try {
        const { count, location } = await this.#copy(session, storage);
        return { state: 'delivered', count, location };
      } catch (error) {
        return { state: 'failed', problem: messageOf(error) };
      }
    });
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
