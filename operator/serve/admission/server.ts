/**
 * The door for admission: kube-apiserver asks here before it stores something of ours. It shows no certificate of its own, so
 * what proves that it is the one who asks is a path nobody else knows: the token in it stands in the operator's TLS Secret
 * and, put there by the operator, in the webhook configurations.
 */
import type { Logger } from 'pino';
import type { Counter, Registry } from 'prom-client';
import type { KubeStatus } from '../../../common/api/kubernetes.ts';
import { AmbientError, CATALOGUE } from '../../../common/errors.ts';
import type { Admission } from '../../sessions/admission.ts';
import { readJson } from '../http/body.ts';
import { listenerOf, sendJson } from '../http/exchange.ts';
import type { Exchange } from '../http/exchange.ts';
import { counter, durationHistogram } from '../http/meters.ts';
import { parseTarget } from '../http/path.ts';
import { createTlsServer, doorOf } from '../http/server.ts';
import type { Certificates, Door } from '../http/server.ts';
import { decide, webhookOf } from './decide.ts';
import { parseReview, reviewOf } from './review.ts';

/** The API server takes requests of 3 MiB; a review holds the object as it was and as it shall be. */
export const REVIEW_BYTES_MAX = 8 * 1024 * 1024;

export interface AdmissionServerOptions {
  admission: Admission;
  certificates: Certificates;
  isToken: (sent: string) => Promise<boolean>;
  logger: Logger;
  metrics: Registry;
}

export function createAdmissionServer(options: AdmissionServerOptions): Door {
  const { certificates, logger, metrics } = options;
  const closing = new AbortController();
  const duration = durationHistogram(metrics, {
    name: 'ambient_admission_request_duration_seconds',
    help: 'Time from a question of the API server to the end of its answer.',
    labelNames: ['webhook', 'status'],
  });
  const refused = counter(metrics, 'ambient_admission_refused_total', 'Requests that admission refused.');
  const listener = listenerOf({
    handle: (exchange) => handle(options, refused, exchange),
    refuse,
    observe: (webhook, _method, status, seconds) =>
      duration.observe({ webhook, status: String(status) }, seconds),
    log: logger,
    closing: closing.signal,
  });
  const server = createTlsServer(certificates, {}, listener);
  const renewal = certificates.onChange(() => server.setSecureContext({ ...certificates.current }));
  return doorOf(server, { closing, release: () => renewal[Symbol.dispose]() });
}

async function handle(options: AdmissionServerOptions, refused: Counter, exchange: Exchange): Promise<void> {
  const { request, response, facts, traceId, log } = exchange;
  const { segments } = parseTarget(request.url ?? '/');
  const webhook = webhookOf(segments[1]);
  const [token = ''] = segments;
  if (segments.length !== 2 || webhook === undefined || !(await options.isToken(token)))
    throw new AmbientError('not_found', 'there is nothing here');
  facts.route = webhook;
  if (request.method !== 'POST') throw new AmbientError('invalid_request', 'a review is posted');
  const review = parseReview(await readJson(request, REVIEW_BYTES_MAX));
  facts.namespace = review.namespace ?? '';
  facts.user = review.userInfo.username ?? '';
  const decision = await decide(options.admission, webhook, review, traceId);
  if (decision.refusal !== undefined) {
    refused.inc();
    const { message, code } = decision.refusal;
    log.info({ webhook, namespace: review.namespace, user: facts.user, code, message }, 'not admitted');
  }
  sendJson(response, 200, reviewOf(review.uid, decision));
}

function refuse({ response, traceId }: Exchange, error: AmbientError): void {
  const { status: code, reason } = CATALOGUE[error.code];
  const status: KubeStatus = {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: error.message,
    reason,
    code,
    details: {
      causes: [
        { reason: error.code, message: error.remedy },
        { reason: 'traceId', message: traceId },
      ],
    },
  };
  sendJson(response, code, status);
}
