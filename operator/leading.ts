/** What only one replica does: the controllers, for as long as it leads. */
import type { Logger } from 'pino';
import type { KubeClient } from '../common/kube/client.ts';
import type { Config } from './config.ts';
import { systemClock } from './controllers/clock.ts';
import { LeaseLost } from './controllers/leader.ts';
import type { QueueMetrics } from './controllers/queue.ts';
import { RunnerServiceAccounts } from './controllers/service-accounts.ts';
import { Cleanup } from './controllers/session/cleanup.ts';
import { SessionController } from './controllers/session/index.ts';
import type { Doors } from './doors.ts';
import type { AuditTrail } from './record/audit.ts';
import { historyAppender } from './record/history.ts';
import type { ArtifactStore } from './store/store.ts';
import type { Watches } from './watches.ts';

export interface LeadingOptions {
  config: Config;
  client: KubeClient;
  store: ArtifactStore;
  audit: AuditTrail;
  watches: Watches;
  doors: Doors;
  queue: QueueMetrics;
  log: Logger;
}

/** Runs until the signal aborts and work under way has ended. */
export async function runControllers(options: LeadingOptions, signal: AbortSignal): Promise<void> {
  const { config, client, store, audit, watches, doors, queue, log } = options;
  const common = { client, store, audit, clock: systemClock, random: Math.random, log };
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
  using _source = doors.onSource(({ metadata }) => controller.wake(metadata.namespace ?? '', metadata.name));
  controller.start();
  cleanup.start();
  if (!signal.aborted)
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  // Every write is conditional, so that one that is under way does no harm; but none shall begin.
  const drainMs = signal.reason instanceof LeaseLost ? 0 : config.drainMs;
  await Promise.all([controller.close(drainMs), cleanup.close(drainMs)]);
}
