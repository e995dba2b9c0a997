/** How the push of a session's changes went, as its pod reported it last: kept in the store until the controller collects it. */
import { json } from 'node:stream/consumers';
import { Compile } from 'typebox/compile';
import { PushReport } from '../../common/api/push.ts';
import type { Session } from '../../common/api/session.ts';
import { AmbientError, isAmbientError } from '../../common/errors.ts';
import { keys, refOf } from '../store/keys.ts';
import type { ArtifactStore } from '../store/store.ts';
import { problemsOf } from './validate.ts';

const validator = Compile(PushReport);

export class PushReports {
  readonly #store: ArtifactStore;

  constructor(store: ArtifactStore) {
    this.#store = store;
  }

  async get(session: Session): Promise<PushReport | undefined> {
    try {
      const { body } = await this.#store.get(keys.pushReport(refOf(session)));
      return (await json(body)) as PushReport;
    } catch (error) {
      if (isAmbientError(error, 'not_found')) return undefined;
      throw error;
    }
  }

  /** Takes the place of an earlier attempt's. Throws invalid_request. */
  async put(session: Session, body: unknown): Promise<void> {
    if (!validator.Check(body)) throw new AmbientError('invalid_request', problemsOf(validator, body));
    await this.#store.put(keys.pushReport(refOf(session)), Buffer.from(JSON.stringify(body)), {
      contentType: 'application/json',
    });
  }
}
