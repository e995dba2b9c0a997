/** The part of the runners' door that the pod which pushes a session's changes is served at (contract: common/api/push.ts). */
import { PUSH_REPORT, pushPath } from '../../../common/api/push.ts';
import { CHANGES_PATCH } from '../../../common/api/runner.ts';
import type { Session } from '../../../common/api/session.ts';
import { AmbientError, isAmbientError } from '../../../common/errors.ts';
import type { Artifacts } from '../../sessions/artifacts.ts';
import type { PushReports } from '../../sessions/push-reports.ts';
import { readJson } from '../http/body.ts';
import type { Exchange } from '../http/exchange.ts';
import { sendArtifact } from './send-artifact.ts';
import type { RunnerIdentity } from './identity.ts';
import type { RunnerRefusals } from './refusals.ts';

export interface PushDoorOptions {
  /** Of the tokens with audience `ambient-push` alone. */
  identity: RunnerIdentity;
  artifacts: Artifacts;
  reports: PushReports;
  refusals: Pick<RunnerRefusals, 'note'>;
}

const REPORT_BYTES_MAX = 64 * 1024;

export class PushDoor {
  readonly #options: PushDoorOptions;

  constructor(options: PushDoorOptions) {
    this.#options = options;
  }

  isFor(url: string): boolean {
    return url.startsWith(pushPath(''));
  }

  /** Throws AmbientError, as the door of runners does. */
  async handle(exchange: Exchange): Promise<void> {
    const { request, response, facts } = exchange;
    const { artifacts, reports } = this.#options;
    const asked = `${request.method ?? ''} ${request.url ?? ''}`;
    facts.route = 'push';
    const session = await this.#sessionOf(exchange);
    const isReport = asked === `POST ${pushPath(PUSH_REPORT)}`;
    if (!isReport && asked !== `GET ${pushPath(CHANGES_PATCH)}`) {
      const error = new AmbientError('not_found', 'the pod that pushes has no such path');
      this.#note(exchange, error);
      throw error;
    }
    facts.namespace = session.metadata.namespace ?? '';
    facts.session = session.metadata.name;
    if (!isReport) return await sendArtifact(exchange, artifacts, session, CHANGES_PATCH);
    await reports.put(session, await readJson(request, REPORT_BYTES_MAX));
    response.writeHead(204).end();
  }

  async #sessionOf(exchange: Exchange): Promise<Session> {
    const { request, signal } = exchange;
    try {
      return await this.#options.identity.sessionOf(request.headers.authorization, signal);
    } catch (error) {
      if (isAmbientError(error, 'unauthenticated', 'forbidden')) this.#note(exchange, error);
      throw error;
    }
  }

  #note({ request, traceId }: Exchange, error: AmbientError): void {
    const { authorization } = request.headers;
    const details = { path: request.url ?? '' };
    this.#options.refusals.note({ authorization, resource: 'runner/push', details, error, traceId });
  }
}
