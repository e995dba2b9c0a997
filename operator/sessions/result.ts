/** How a run ended, as its runner reported it: kept in the store until the controller collects it. */
import { json } from 'node:stream/consumers';
import { Compile } from 'typebox/compile';
import { RunResult } from '../../common/api/runner.ts';
import { isTerminal } from '../../common/api/session.ts';
import type { Session } from '../../common/api/session.ts';
import { AmbientError, isAmbientError } from '../../common/errors.ts';
import { sameJson } from '../../common/kube/patch.ts';
import { keys, refOf } from '../store/keys.ts';
import type { ArtifactStore } from '../store/store.ts';
import { problemsOf } from './validate.ts';

const validator = Compile(RunResult);

export class Results {
  readonly #store: ArtifactStore;

  constructor(store: ArtifactStore) {
    this.#store = store;
  }

  /** Undefined when the runner reported none. */
  async get(session: Session): Promise<RunResult | undefined> {
    try {
      const { body } = await this.#store.get(keys.result(refOf(session)));
      return (await json(body)) as RunResult;
    } catch (error) {
      if (isAmbientError(error, 'not_found')) return undefined;
      throw error;
    }
  }

  /** Once; the same again does no harm. Throws invalid_request, conflict for another one, already_finished. */
  async put(session: Session, body: unknown): Promise<RunResult> {
    if (!validator.Check(body)) throw new AmbientError('invalid_request', problemsOf(validator, body));
    const standing = await this.get(session);
    if (standing !== undefined) {
      if (sameJson(standing, body)) return standing;
      throw new AmbientError('conflict', 'the result of this run is already there');
    }
    if (isTerminal(session.status?.phase)) {
      throw new AmbientError('already_finished', 'the session takes no result any more');
    }
    await this.#store.put(keys.result(refOf(session)), Buffer.from(JSON.stringify(body)), {
      contentType: 'application/json',
    });
    return body;
  }
}
