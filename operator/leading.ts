/** What only one replica does: the controllers, for as long as it leads. */
import type { Logger } from 'pino';
import { LABEL_SESSION_UID } from '../common/api/names.ts';
import { isTerminal } from '../common/api/session.ts';
import type { KubeClient } from '../common/kube/client.ts';
import { operatorUser } from '../common/rules/approval.ts';
import { jobs } from '../common/kube/resource.ts';
import type { Auditing } from './auditing.ts';
import type { Config } from './config.ts';
import { ApiServerAddresses } from './controllers/api-server-addresses.ts';
import { delay, systemClock } from './controllers/clock.ts';
import { LeaseLost } from './controllers/leader.ts';
import { deliverer } from './controllers/notifications/deliverer.ts';
import { NotificationController } from './controllers/notifications/index.ts';
import type { NotificationMetrics } from './controllers/notifications/index.ts';
import type { QueueMetrics } from './controllers/queue.ts';
import { RunnerNetworkPolicies } from './controllers/network-policies.ts';
import { RunnerServiceAccounts } from './controllers/service-accounts.ts';
import { Cleanup } from './controllers/session/cleanup.ts';
import { PolicyController, Settlements } from './controllers/policy/index.ts';
import { AuditRetention } from './controllers/retention/audit-records.ts';
import { RetentionController } from './controllers/retention/index.ts';
import { Releases } from './controllers/retention/release.ts';
import { bySessionUid, SESSION_INDEX, SessionController, Turns } from './controllers/session/index.ts';
import { Sweep } from './controllers/sweep.ts';
import { TriggerController } from './controllers/triggers/index.ts';
import { WarmPods } from './controllers/warm/index.ts';
import type { Doors } from './doors.ts';
import type { AuditTrail } from './record/audit.ts';
import { historyAppender } from './record/history.ts';
import { Exporter } from './record/exports/exporter.ts';
import { answerTargetOf } from './record/notifications/answers.ts';
import { resolveAll } from './record/notifications/checked-lookup.ts';
import type { SecretReference } from './record/notifications/placeholders.ts';
import { readSecret } from './record/notifications/secrets.ts';
import type { TenancyMetrics, WarmMetrics } from './metrics.ts';
import { PullRequests } from './record/pull-requests/opener.ts';
import type { ArtifactStore } from './store/store.ts';
import type { Watches } from './watches.ts';

export interface LeadingOptions {
  config: Config;
  client: KubeClient;
  store: ArtifactStore;
  audit: AuditTrail;
  auditing: Pick<Auditing, 'namespaces' | 'trim'>;
  watches: Watches;
  doors: Doors;
  queue: QueueMetrics;
  tenancy: TenancyMetrics;
  warm: WarmMetrics;
  notifications: NotificationMetrics;
  log: Logger;
}

const RETRY_MS = 1000;
/** How often the leader looks for calls to models that a killed process has left open. */
const LOST_CALLS_MS = 15_000;

/**
 * UIDs of sessions with a Job that may still run, as the API server knows them now: what the leader before made last may not
 * have come through our watch yet, and would be granted once more. Undefined when the term ends before there is an answer.
 */
async function sessionsWithJobs(
  { client, log }: LeadingOptions,
  signal: AbortSignal,
): Promise<ReadonlySet<string> | undefined> {
  while (!signal.aborted) {
    try {
      const { items } = await client.list(
        jobs,
        {},
        { labelSelector: LABEL_SESSION_UID, fieldSelector: 'status.successful=0', signal },
      );
      return new Set(items.flatMap(bySessionUid));
    } catch (err) {
      if (signal.aborted) break;
      log.warn({ err }, 'reading the Jobs that run failed; trying again');
      await delay(systemClock, RETRY_MS, signal).catch(() => undefined);
    }
  }
  return undefined;
}

/** An operator that died may have stored costs that no status shows, and by which nobody is stopped. */
async function catchUpCosts({ watches, doors, log }: LeadingOptions, signal: AbortSignal): Promise<void> {
  for (const session of watches.sessions.store.list()) {
    if (signal.aborted) return;
    // Only what has had a pod can have cost anything.
    if (session.status?.workload === undefined || isTerminal(session.status.phase)) continue;
    await doors.costs
      .catchUp(session)
      .catch((err: unknown) => log.warn({ err, session: session.metadata.name }, 'reading a cost failed'));
  }
}

/** Runs until the signal aborts and work under way has ended. */
export async function runControllers(options: LeadingOptions, signal: AbortSignal): Promise<void> {
  const { config, client, store, audit, auditing, watches, doors, queue, tenancy, log } = options;
  const common = { client, store, audit, clock: systemClock, random: Math.random, log };
  using accounts = new RunnerServiceAccounts({ client, reflector: watches.serviceAccounts, log });
  const withJobs = await sessionsWithJobs(options, signal);
  if (withJobs === undefined) return;
  using turns = new Turns({
    policies: doors.policies,
    hasJob: (uid) => withJobs.has(uid) || watches.jobs.store.countByIndex(SESSION_INDEX, uid) > 0,
    clock: systemClock,
  });
  const networks = new RunnerNetworkPolicies({
    ...common,
    reflector: watches.networkPolicies,
    namespacePolicies: watches.namespacePolicies,
    sessions: watches.sessions,
    policies: doors.policies,
    apiServer: new ApiServerAddresses(watches),
    network: () => ({
      operator: { namespace: config.namespace, port: doors.ports.runners },
      url: doors.endpoint().url,
      open: config.runnerEgress,
      closed: config.runnerClosedCidrs,
    }),
  });
  const prepareNamespace = async (namespace: string, stop: AbortSignal): Promise<void> => {
    await Promise.all([accounts.ensure(namespace, stop), networks.ensure(namespace, stop)]);
  };
  const warm = new WarmPods({
    ...common,
    reflectors: watches,
    policies: doors.policies,
    audit: doors.audit,
    endpoint: () => doors.endpoint(),
    prepareNamespace,
    onAsked: (isHit) => options.warm.asked(isHit),
  });
  using _warm = options.warm.watch(warm);
  const outside = {
    read: (namespace: string, reference: SecretReference) => readSecret(client, namespace, reference, signal),
    rules: config.notify,
    resolve: resolveAll,
    elapsed: () => systemClock.elapsed(),
    signal,
  };
  const controller = new SessionController({
    ...common,
    reflectors: watches,
    records: doors.records,
    exporter: new Exporter({ ...outside, store }),
    pullRequests: new PullRequests({ ...outside, audit: doors.audit, now: () => systemClock.now() }),
    policies: doors.policies,
    turns,
    warm,
    audit: doors.audit,
    budgetStopped: (by) => tenancy.budgetStopped(by),
    operatorUser: operatorUser(config.namespace),
    endpoint: () => doors.endpoint(),
    prepareNamespace,
    append: historyAppender(store),
    settings: config,
    workers: config.workers,
    metrics: queue,
  });
  const policies = new PolicyController({ ...common, reflectors: watches, turns, warm, audit: doors.audit });
  using _turns = tenancy.watch(turns);
  const triggers = new TriggerController({
    ...common,
    reflectors: watches,
    operatorUser: operatorUser(config.namespace),
  });
  const cleanup = new Cleanup({ ...common, sessions: watches.sessions, sweepMs: config.sweepMs });
  const retention = new RetentionController({
    ...common,
    sessions: watches.sessions,
    namespacePolicies: watches.namespacePolicies,
    policies: doors.policies,
    append: historyAppender(store),
    audit: doors.audit,
    perSecond: config.retentionPerSecond,
  });
  const auditRetention = new AuditRetention({ ...common, auditing, policies: doors.policies });
  const lostCalls = new Sweep({
    ...common,
    what: 'charging calls left open',
    everyMs: LOST_CALLS_MS,
    work: (term) => doors.lostCalls.sweep(term),
  });
  const settlements = new Settlements({ ...common, policies: doors.policies, costs: doors.costs });
  const releases = new Releases({
    ...common,
    sessions: watches.sessions,
    jobs: watches.jobs,
    settleDeleted: (session, stop) => settlements.settleDeleted(session, stop),
    perSecond: config.retentionPerSecond,
  });
  const notifications = new NotificationController({
    ...common,
    sessions: watches.sessions,
    namespacePolicies: watches.namespacePolicies,
    policies: doors.policies,
    deliver: deliverer({
      client,
      rules: config.notify,
      smtp: config.smtp,
      clock: systemClock,
      ownNamespace: config.namespace,
    }),
    answerOf: (session) => {
      const { namespace = '' } = session.metadata;
      const { name } = session.spec.trigger ?? {};
      if (name === undefined) return undefined;
      const trigger = watches.sessionTriggers.store.get({ namespace, name });
      return answerTargetOf(session, trigger, operatorUser(config.namespace));
    },
    mayAnswer: (namespace) =>
      watches.sessionTriggers.store.list(namespace).some(({ spec }) => spec.answer !== undefined),
    metrics: options.notifications,
  });
  using _source = doors.onSource(({ metadata }) => controller.wake(metadata.namespace ?? '', metadata.name));
  // First, so that a change has its effect on turns before anybody looks at the session.
  turns.start(watches);
  networks.start();
  warm.start();
  controller.start();
  lostCalls.start();
  const catchingUp = catchUpCosts(options, signal);
  policies.start();
  triggers.start();
  cleanup.start();
  retention.start();
  auditRetention.start();
  releases.start();
  notifications.start();
  if (!signal.aborted)
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  // Every write is conditional, so that one that is under way does no harm; but none shall begin.
  const drainMs = signal.reason instanceof LeaseLost ? 0 : config.drainMs;
  const running = [controller, warm, policies, triggers, cleanup, networks, notifications, lostCalls];
  const removing = [retention, auditRetention, releases];
  await Promise.all([catchingUp, ...[...running, ...removing].map((each) => each.close(drainMs))]);
}
