/** Measurements of the model gateway. Models are of too many names to be labels: a session's cost tells of them. */
import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { ModelProvider } from '../../../common/api/models.ts';
import type { CallMeters } from '../../sessions/models/call.ts';
import { counter, durationHistogram } from '../http/meters.ts';

export interface ModelMeters extends CallMeters {
  answered(provider: ModelProvider, status: number): void;
}

const BILLIONTHS = 1e9;

export function modelMeters(registry: Registry): ModelMeters {
  const requests = counter(registry, 'ambient_model_requests_total', 'Calls of models by agents.', [
    'provider',
    'status',
  ]);
  const tokens = counter(registry, 'ambient_model_tokens_total', 'Tokens that providers have counted.', [
    'provider',
    'kind',
  ]);
  const cost = counter(registry, 'ambient_model_cost_usd_total', 'What calls of models have cost, in USD.', [
    'provider',
  ]);
  const added = durationHistogram(registry, {
    name: 'ambient_model_added_seconds',
    help: 'Time from the whole request of an agent until it is sent on to the provider.',
    labelNames: [],
  });
  const NAME = 'ambient_model_calls_under_way';
  const underWay =
    (registry.getSingleMetric(NAME) as Gauge | undefined) ??
    new Gauge({ name: NAME, help: 'Calls of models that have not ended.', registers: [registry] });
  return {
    answered: (provider, status) => requests.inc({ provider, status: String(status) }),
    tokens: (provider, kind, count) => tokens.inc({ provider, kind }, count),
    cost: (provider, amount) => cost.inc({ provider }, Number(amount) / BILLIONTHS),
    added: (seconds) => added.observe({}, seconds),
    underWay: (change) => underWay.inc(change),
  };
}
