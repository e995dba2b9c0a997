/** What only one replica does: the controllers, for as long as it leads. */
import type { Logger } from 'pino';
import type { KubeClient } from '../common/kube/client.ts';
import type { Config } from './config.ts';
import { systemClock } from './controllers/clock.ts';
import { LeaseLost } from './controllers/leader.ts';
import { deliverer } from './controllers/notifications/deliverer.ts';
import { NotificationController } from './controllers/notifications/index.ts';
import type { NotificationMetrics } from './controllers/notifications/index.ts';
import type { QueueMetrics } from './controllers/queue.ts';
import { RunnerServiceAccounts } from './controllers/service-accounts.ts';
import { Cleanup } from './controllers/session/cleanup.ts';
import { RetentionController } from './controllers/retention/index.ts';
import { Releases } from './controllers/retention/release.ts';
import { SessionController } from './controllers/session/index.ts';
import type { Doors } from './doors.ts';
import { historyAppender } from './record/history.ts';
import type { ArtifactStore } from './store/store.ts';
import type { Watches } from './watches.ts';

export interface LeadingOptions {
  config: Config;
  client: KubeClient;
  store: ArtifactStore;
  watches: Watches;
  doors: Doors;
  queue: QueueMetrics;
  notifications: NotificationMetrics;
  log: Logger;
}

/** Runs until the signal aborts and work under way has ended. */
export async function runControllers(options: LeadingOptions, signal: AbortSignal): Promise<void> {
  const { config, client, store, watches, doors, queue, log } = options;
  const common = { client, store, clock: systemClock, random: Math.random, log };
  using accounts = new RunnerServiceAccounts({ client, reflector: watches.serviceAccounts, log });
  const controller = new SessionController({
    ...common,
    reflectors: watches,
    records: doors.records,
    policies: doors.policies,
    endpoint: () => doors.endpoint(),
    ensureServiceAccount: (namespace, stop) => accounts.ensure(namespace, stop),
    append: historyAppender(store),
    settings: config,
    workers: config.workers,
    metrics: queue,
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
  const releases = new Releases({
    ...common,
    sessions: watches.sessions,
    jobs: watches.jobs,
    settleDeleted: async () => undefined,
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
    metrics: options.notifications,
  });
  using _source = doors.onSource(({ metadata }) => controller.wake(metadata.namespace ?? '', metadata.name));
  controller.start();
  cleanup.start();
  retention.start();
  releases.start();
  notifications.start();
  if (!signal.aborted)
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  // Every write is conditional, so that one that is under way does no harm; but none shall begin.
  const drainMs = signal.reason instanceof LeaseLost ? 0 : config.drainMs;
  await Promise.all(
    [controller, cleanup, retention, releases, notifications].map((each) => each.close(drainMs)),
  );
}
