/** Prometheus metrics of the controllers and of what they ask of the API server. Nothing global: one registry an operator. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { PHASES } from '../common/api/session.ts';
import type { Session } from '../common/api/session.ts';
import type { Connection } from '../common/kube/connection.ts';
import type { ObjectStore } from '../common/kube/object-store.ts';
import type { Reflector } from '../common/kube/reflector.ts';
import type { KubeObject } from '../common/api/kubernetes.ts';
import type { AuditMeters } from './record/audit/trail.ts';
import type { NotificationMetrics } from './controllers/notifications/index.ts';
import type { QueueMetrics } from './controllers/queue.ts';
import type { Turns } from './controllers/session/turns.ts';
import type { WarmPods } from './controllers/warm/index.ts';
import type { BudgetLevel } from '../common/rules/budget.ts';
import { formatMoney, sum } from '../common/rules/money.ts';

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
  notifications: NotificationMetrics;
  leading(value: boolean): void;
  /** Of a store that is asked over the network. */
  storeRequest(operation: string, outcome: string, milliseconds: number): void;
  tenancy: TenancyMetrics;
  warm: WarmMetrics;
  audit: AuditMeters & { missing(chains: number): void };
}

/** Turns and budgets over all namespaces: as many series, however many namespaces there are. */
export interface TenancyMetrics {
  budgetStopped(by: 'session' | 'namespace'): void;
  /** While this operator leads. */
  watch(turns: Turns): Disposable;
}

/** Pods that are kept ready, over all namespaces. */
export interface WarmMetrics {
  /** A session started where some are kept. */
  asked(isHit: boolean): void;
  /** While this operator leads. */
  watch(pods: Pick<WarmPods, 'counts'>): Disposable;
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
    help: 'Requests to the API server by Kubernetes verb and resource.',
    labelNames: ['verb', 'resource'],
    registers,
    collect() {
      this.reset();
      for (const { verb, resource, count } of connection.requestCounts()) this.inc({ verb, resource }, count);
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
  const auditRecords = new Counter({
    name: 'ambient_audit_records_total',
    help: 'Audit records written.',
    registers,
  });
  const auditFailures = new Counter({
    name: 'ambient_audit_failures_total',
    help: 'Audit records that could not be written.',
    registers,
  });
  const auditWrite = new Histogram({
    name: 'ambient_audit_write_seconds',
    help: 'One write of audit records, shared by all that came meanwhile.',
    buckets: BUCKETS,
    registers,
  });
  const auditMissing = new Gauge({
    name: 'ambient_audit_missing_chains',
    help: 'Audit chains whose published head the store did not have when the operator started.',
    registers,
  });
  const storeRequests = new Histogram({
    name: 'ambient_store_request_seconds',
    help: 'Requests to the S3 server that keeps logs and artifacts, by operation and outcome.',
    labelNames: ['operation', 'outcome'],
    buckets: BUCKETS,
    registers,
  });
  const attempts = new Counter({
    name: 'ambient_notifications_total',
    help: 'Attempts to deliver a notification; dead: it was given up.',
    labelNames: ['kind', 'outcome'],
    registers,
  });
  const waiting = new Gauge({
    name: 'ambient_notifications_waiting',
    help: 'Notifications in the outbox, one for each target.',
    registers,
  });
  return {
    registry,
    tenancy: tenancyMetrics(registers),
    warm: warmMetrics(registers),
    notifications: {
      attempted: (kind, outcome) => attempts.inc({ kind, outcome }),
      waiting: (count) => waiting.set(count),
    },
    leading: (value) => leading.set(value ? 1 : 0),
    storeRequest: (operation, outcome, milliseconds) =>
      storeRequests.observe({ operation, outcome }, milliseconds / 1000),
    audit: {
      written: (records, seconds) => {
        auditRecords.inc(records);
        auditWrite.observe(seconds);
      },
      failed: (records) => auditFailures.inc(records),
      missing: (chains) => auditMissing.set(chains),
    },
    queue: {
      depth: (length) => depth.set(length),
      waited: (seconds) => latency.observe(seconds),
      worked: (seconds, outcome) => duration.observe({ outcome }, seconds),
      retried: () => retries.inc(),
    },
  };
}

function warmMetrics(registers: Registry[]): WarmMetrics {
  let watched: Pick<WarmPods, 'counts'> | undefined;
  new Gauge({
    name: 'ambient_warm_pods',
    help: 'Pods that are kept ready for sessions.',
    labelNames: ['state'],
    registers,
    collect() {
      const { ready, starting } = watched?.counts() ?? { ready: 0, starting: 0 };
      this.set({ state: 'ready' }, ready);
      this.set({ state: 'starting' }, starting);
    },
  });
  const asked = new Counter({
    name: 'ambient_warm_claims_total',
    help: 'Sessions of namespaces that keep pods ready, by whether there was one for them.',
    labelNames: ['result'],
    registers,
  });
  return {
    asked: (isHit) => asked.inc({ result: isHit ? 'hit' : 'miss' }),
    watch: (pods) => {
      watched = pods;
      return { [Symbol.dispose]: () => void (watched = undefined) };
    },
  };
}

function tenancyMetrics(registers: Registry[]): TenancyMetrics {
  let turns: Turns | undefined;
  const accounts = () => [...(turns?.accounts() ?? [])];
  new Gauge({
    name: 'ambient_sessions_waiting',
    help: 'Sessions that wait for their turn: for others to end, or for budget.',
    labelNames: ['reason'],
    registers,
    collect() {
      const counts = { concurrency: 0, budget: 0 };
      for (const account of accounts())
        for (const entry of account.line)
          counts[account.reasonOf(entry) === 'Concurrency' ? 'concurrency' : 'budget']++;
      for (const [reason, value] of Object.entries(counts)) this.set({ reason }, value);
    },
  });
  new Gauge({
    name: 'ambient_budget_namespaces',
    help: 'Namespaces with a monthly budget, by how much of it is spent.',
    labelNames: ['level'],
    registers,
    collect() {
      const counts: Record<BudgetLevel, number> = { ok: 0, warning: 0, exceeded: 0 };
      for (const { level } of accounts()) if (level !== undefined) counts[level]++;
      for (const [level, value] of Object.entries(counts)) this.set({ level }, value);
    },
  });
  new Gauge({
    name: 'ambient_budget_usd',
    help: 'US dollars of all monthly budgets: allowed, spent this month, and held for sessions that run.',
    labelNames: ['what'],
    registers,
    collect() {
      const budgets = accounts().flatMap(({ budget }) => budget ?? []);
      for (const what of ['monthly', 'spent', 'reserved'] as const)
        this.set({ what }, Number(formatMoney(sum(budgets.map((budget) => budget[what])))));
    },
  });
  const stops = new Counter({
    name: 'ambient_budget_stops_total',
    help: "Sessions told to stop for want of money: their own budget's or the namespace's.",
    labelNames: ['by'],
    registers,
  });
  return {
    budgetStopped: (by) => stops.inc({ by }),
    watch(opened) {
      turns = opened;
      return { [Symbol.dispose]: () => (turns = undefined) };
    },
  };
}

const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
