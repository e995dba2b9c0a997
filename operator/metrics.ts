/** Prometheus metrics of the controllers and of what they ask of the API server. Nothing global: one registry an operator. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { PHASES } from '../common/api/session.ts';
import type { Session } from '../common/api/session.ts';
import type { Connection } from '../common/kube/connection.ts';
import type { ObjectStore } from '../common/kube/object-store.ts';
import type { Reflector } from '../common/kube/reflector.ts';
import type { KubeObject } from '../common/api/kubernetes.ts';
import type { QueueMetrics } from './controllers/queue.ts';

/** Index of the store of sessions. */
export const PHASE_INDEX = 'phase';
/** Sessions that no controller has looked at yet. */
const NEW = 'New';
export const byPhase = (session: Session): string[] => [session.status?.phase ?? NEW];

/** How often the event loop's delay is measured: each time wakes the process, also one that has nothing to do. */
const EVENT_LOOP_SAMPLE_MS = 50;

export interface OperatorMetrics {
  registry: Registry;
  queue: QueueMetrics;
  leading(value: boolean): void;
}

export function makeMetrics(
  connection: Connection,
  sessions: ObjectStore<Session>,
  watches: readonly { resource: string; reflector: Pick<Reflector<KubeObject>, 'onState'> }[],
): OperatorMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: EVENT_LOOP_SAMPLE_MS });

  new Gauge({
    name: 'ambient_sessions',
    help: 'Sessions by phase; New: not yet looked at.',
    labelNames: ['phase'],
    registers,
    collect() {
      for (const phase of [NEW, ...PHASES]) this.set({ phase }, sessions.countByIndex(PHASE_INDEX, phase));
    },
  });
  new Counter({
    name: 'ambient_api_requests_total',
    help: 'Requests to the API server by Kubernetes verb.',
    labelNames: ['verb'],
    registers,
    collect() {
      this.reset();
      for (const [verb, count] of connection.requestsByVerb) this.inc({ verb }, count);
    },
  });
  const restarts = new Counter({
    name: 'ambient_watch_reconnects_total',
    help: 'Times a watch was lost and taken up again.',
    labelNames: ['resource'],
    registers,
  });
  const synced = new Gauge({
    name: 'ambient_watch_synced',
    help: '1 while the watch of a resource is up to date.',
    labelNames: ['resource'],
    registers,
  });
  for (const { resource, reflector } of watches)
    reflector.onState(({ phase }) => {
      synced.set({ resource }, phase === 'synced' ? 1 : 0);
      if (phase === 'reconnecting') restarts.inc({ resource });
    });

  const leading = new Gauge({
    name: 'ambient_leading',
    help: '1 while this operator runs the controllers.',
    registers,
  });
  const depth = new Gauge({
    name: 'ambient_queue_depth',
    help: 'Sessions that wait to be looked at.',
    registers,
  });
  const retries = new Counter({
    name: 'ambient_queue_retries_total',
    help: 'Looks at a session that failed and are repeated.',
    registers,
  });
  const latency = new Histogram({
    name: 'ambient_queue_wait_seconds',
    help: 'From when a session had to be looked at until somebody did.',
    buckets: BUCKETS,
    registers,
  });
  const duration = new Histogram({
    name: 'ambient_reconcile_seconds',
    help: 'One look at a session.',
    labelNames: ['outcome'],
    buckets: BUCKETS,
    registers,
  });
  return {
    registry,
    leading: (value) => leading.set(value ? 1 : 0),
    queue: {
      depth: (length) => depth.set(length),
      waited: (seconds) => latency.observe(seconds),
      worked: (seconds, outcome) => duration.observe({ outcome }, seconds),
      retried: () => retries.inc(),
    },
  };
}

const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
