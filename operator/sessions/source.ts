/** The source archive of a session with `source.type: upload`: received in pieces before it starts, read by its runner. */
import type { Readable } from 'node:stream';
import { LIVE_API_VERSION } from '../../common/api/names.ts';
import type { SourceState } from '../../common/api/live.ts';
import { isTerminal } from '../../common/api/session.ts';
import type { Session } from '../../common/api/session.ts';
import { AmbientError, isAmbientError } from '../../common/errors.ts';
import { keys, refOf } from '../store/keys.ts';
import type { SessionRef } from '../store/keys.ts';
import type { ArtifactStore, ByteRange, ObjectInfo } from '../store/store.ts';
import { limitBytes } from './limit-bytes.ts';

export const SOURCE_CONTENT_TYPE = 'application/gzip';

export interface SourcesOptions {
  store: ArtifactStore;
  /** All bytes of a session's source are there: its controller need not wait any longer. */
  onComplete?: (session: Session) => void;
}

/** Where its archive lies: a session that goes on from another has that one's. */
const placeOf = (session: Session): SessionRef => ({
  ...refOf(session),
  ...(session.spec.resume === undefined ? {} : { uid: session.spec.resume.source }),
});

export class Sources {
  readonly #store: ArtifactStore;
  readonly #onComplete: (session: Session) => void;

  constructor(options: SourcesOptions) {
    this.#store = options.store;
    this.#onComplete = options.onComplete ?? (() => undefined);
  }

  /** Throws invalid_request when the session takes no upload. */
  async state(session: Session): Promise<SourceState> {
    const { sizeBytes } = uploadOf(session);
    if (await this.isComplete(session)) return stateOf(sizeBytes, sizeBytes, true);
    const received = await this.#store.upload(keys.source(placeOf(session))).received();
    if (received < sizeBytes) return stateOf(received, sizeBytes, false);
    // An operator that was killed between the last byte and its check left this to whoever asks next.
    return await this.#complete(session);
  }

  async isComplete(session: Session): Promise<boolean> {
    return (await this.#store.stat(keys.source(placeOf(session)))) !== undefined;
  }

  /**
   * Appends a piece. The last one completes the source. Throws conflict, with the state in `details.state`, when the piece
   * does not begin where the last one ended; too_large when it goes beyond the size announced; digest_mismatch, after
   * which the upload begins anew; already_finished.
   */
  async append(session: Session, offset: number, body: Readable, signal?: AbortSignal): Promise<SourceState> {
    const { sizeBytes } = uploadOf(session);
    if (isTerminal(session.status?.phase)) {
      throw new AmbientError('already_finished', 'the session takes no source any more');
    }
    if (session.spec.resume !== undefined)
      throw new AmbientError(
        'invalid_request',
        `the session has the source of ${session.spec.resume.session}`,
      );
    const upload = this.#store.upload(keys.source(placeOf(session)));
    const before = await this.state(session);
    // A client that did not see the answer to its last piece sends nothing more than that.
    if (before.complete || offset !== before.received) throw misplaced(offset, before);
    const limited = limitBytes(body, sizeBytes - offset, `the source was announced with ${sizeBytes} bytes`);
    let received: number;
    try {
      received = await upload.append(offset, limited, signal);
    } catch (error) {
      throw isAmbientError(error, 'conflict') ? misplaced(offset, await this.state(session)) : error;
    }
    if (received < sizeBytes) return stateOf(received, sizeBytes, false);
    return await this.#complete(session);
  }

  /** For the runner. Throws not_found, range_not_satisfiable. */
  async get(session: Session, range?: ByteRange): Promise<{ info: ObjectInfo; body: Readable }> {
    try {
      return await this.#store.get(keys.source(placeOf(session)), range);
    } catch (error) {
      if (!isAmbientError(error, 'not_found')) throw error;
      throw new AmbientError('not_found', 'the session has no uploaded source');
    }
  }

  /** For HEAD and ranges. Throws not_found. */
  async describe(session: Session): Promise<ObjectInfo> {
    const info = await this.#store.stat(keys.source(placeOf(session)));
    if (info === undefined) throw new AmbientError('not_found', 'the session has no uploaded source');
    return info;
  }

  async #complete(session: Session): Promise<SourceState> {
    const { sizeBytes, digest } = uploadOf(session);
    const upload = this.#store.upload(keys.source(placeOf(session)));
    try {
      await upload.complete({ contentType: SOURCE_CONTENT_TYPE, digest });
      this.#onComplete(session);
    } catch (error) {
      // Another request, or another replica, was faster.
      if (isAmbientError(error, 'digest_mismatch') || !(await this.isComplete(session))) throw error;
    }
    return stateOf(sizeBytes, sizeBytes, true);
  }
}

function uploadOf(session: Session): { sizeBytes: number; digest: string } {
  const { source } = session.spec;
  if (source?.type === 'upload' && source.upload !== undefined) return source.upload;
  throw new AmbientError(
    'invalid_request',
    `session ${session.metadata.name} takes no upload: its source is ${source?.type ?? 'none'}`,
  );
}

const stateOf = (received: number, sizeBytes: number, complete: boolean): SourceState => ({
  kind: 'SourceState',
  apiVersion: LIVE_API_VERSION,
  received,
  sizeBytes,
  complete,
});

const misplaced = (offset: number, state: SourceState): AmbientError =>
  new AmbientError(
    'conflict',
    state.complete
      ? 'the source is complete'
      : `the next piece begins at ${state.received}, not at ${offset}`,
    { details: { state } },
  );
