/** The operator: composes watches, doors and controllers, and ends them in order. What each does stands in its own room. */
import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import type { Logger } from 'pino';
import { isAmbientError, messageOf } from '../common/errors.ts';
import { KubeClient } from '../common/kube/client.ts';
import type { Connection } from '../common/kube/connection.ts';
import { connectInCluster, loadKubeconfig } from '../common/kube/kubeconfig.ts';
import { describeCommand, runAuditCommand } from './audit-command.ts';
import { Auditing } from './auditing.ts';
import { describeOptions, readConfig } from './config.ts';
import type { Config, Environment } from './config.ts';
import { delay, systemClock } from './controllers/clock.ts';
import { LeaderElection } from './controllers/leader.ts';
import { openDoors } from './doors.ts';
import { runControllers } from './leading.ts';
import { makeMetrics } from './metrics.ts';
import { describeProvenanceCommand, runProvenanceCommand } from './provenance-command.ts';
import { createHealthServer } from './serve/health/server.ts';
import { openStore } from './store-config.ts';
import { allOf, makeWatches } from './watches.ts';

const USER_AGENT = 'ambient-operator';
const LEASE = 'ambient-operator';
const RETRY_MS = 1000;
const DOORS_DRAIN_MS = 5000;

/** Runs until the signal aborts, then ends everything in order. Throws when it cannot start. */
export async function runOperator(
  config: Config,
  log: Logger,
  signal: AbortSignal,
  env: Environment,
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const connection = stack.adopt(await connect(config, env), (opened) => opened.close());
  const client = new KubeClient(connection);
  const watches = makeWatches(client, (err) => log.error({ err }, 'a watch met something unexpected'));
  for (const { resource, reflector } of allOf(watches)) {
    reflector.onState(({ phase, error }) => {
      if (error !== undefined) log.warn({ resource, phase, err: error }, 'watching is disturbed');
    });
    stack.defer(() => reflector.close());
  }
  const metrics = makeMetrics(connection, watches.sessions.store, allOf(watches));

  const store = await openStore(config.store, (...request) => metrics.storeRequest(...request));

  const auditing = stack.use(
    new Auditing({
      config,
      client,
      store,
      meters: metrics.audit,
      log,
      uniqueName: () => randomBytes(4).toString('hex'),
    }),
  );
  let isReady = false;
  const health = createHealthServer({
    live: {},
    ready: {
      started: () => {
        if (!isReady) throw new Error('starting');
      },
    },
    metrics: metrics.registry,
    logger: log,
  });
  const healthPort = await health.listen(config.healthPort, config.listenAddress);
  stack.defer(() => health.close(0));

  // Kubernetes may start after us, or not answer for a while: that is no reason to end.
  for (const { reflector } of allOf(watches)) reflector.start();
  const audited = await patiently('reading the published audit heads', log, signal, async () => {
    await auditing.start();
    return true;
  });
  if (audited === undefined) return;
  const audit = auditing.trail;
  const doors = await patiently('opening the doors', log, signal, () =>
    openDoors({
      ...{ config, client, store, audit, watches, log },
      registry: metrics.registry,
      tenancy: metrics.tenancy,
    }),
  );
  if (doors === undefined) return;
  stack.defer(() => doors.close(DOORS_DRAIN_MS));
  const synced = await patiently('reading all objects', log, signal, async () => {
    await Promise.all(allOf(watches).map(({ reflector }) => untilSynced(reflector)));
    await store.check().catch((error: unknown) => {
      // What is there can still be read.
      if (!isAmbientError(error, 'storage_full')) throw error;
      log.error({ err: error }, 'the artifact store is full');
    });
    return true;
  });
  if (synced === undefined) return;
  isReady = true;
  log.info({ ...doors.ports, health: healthPort, sessions: watches.sessions.store.size }, 'ready');

  const lead = (term: AbortSignal): Promise<void> =>
    runControllers(
      {
        config,
        client,
        store,
        audit,
        auditing,
        watches,
        doors,
        queue: metrics.queue,
        tenancy: metrics.tenancy,
        warm: metrics.warm,
        notifications: metrics.notifications,
        log,
      },
      term,
    );
  if (!config.leaderElection) {
    metrics.leading(true);
    await lead(signal);
  } else {
    const election = new LeaderElection({
      client,
      namespace: config.namespace,
      name: LEASE,
      identity: config.identity,
      clock: systemClock,
      random: Math.random,
      log,
      leaseMs: config.leaseMs,
      onChange: (leading) => {
        metrics.leading(leading);
        auditing.note('update', 'leases', { leading, identity: config.identity });
      },
    });
    await election.run(signal, lead);
  }
  log.info('ending');
}

async function connect(config: Config, env: Environment): Promise<Connection> {
  if (config.kubeconfig === undefined) return connectInCluster();
  const kubeconfig = await loadKubeconfig({ env, homeDir: env['HOME'] ?? '/', path: config.kubeconfig });
  const context = config.context ?? kubeconfig.currentContext ?? kubeconfig.contexts[0]?.name ?? '';
  return kubeconfig.connect(context, { userAgent: USER_AGENT });
}

/** Tries until it succeeds; undefined when everything ends before. */
async function patiently<T>(
  what: string,
  log: Logger,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T | undefined> {
  while (!signal.aborted) {
    try {
      return await work();
    } catch (err) {
      log.warn({ err }, `${what} failed; trying again`);
      await delay(systemClock, RETRY_MS, signal).catch(() => undefined);
    }
  }
  return undefined;
}

interface Syncing {
  state: { phase: string };
  synced(): Promise<void>;
}

/** A reflector's own promise is settled by its first failure; what counts here is how it stands. */
async function untilSynced(reflector: Syncing): Promise<void> {
  if (reflector.state.phase === 'synced') return;
  await reflector.synced();
  if (reflector.state.phase !== 'synced' && reflector.state.phase !== 'reconnecting')
    throw new Error(`a watch is ${reflector.state.phase}`);
}

async function main(): Promise<void> {
  const terminal = {
    out: (line: string) => void process.stdout.write(`${line}\n`),
    error: (line: string) => void process.stderr.write(`${line}\n`),
    input: process.stdin,
  };
  if (process.argv[2] === 'audit') {
    process.exitCode = await runAuditCommand(process.argv.slice(3), process.env, terminal);
    return;
  }
  if (process.argv[2] === 'provenance') {
    process.exitCode = await runProvenanceCommand(process.argv.slice(3), process.env, terminal);
    return;
  }
  if (process.argv.includes('--help')) {
    process.stdout.write(
      `The operator of Ambient Sessions.\n\n${describeOptions()}\n\n${describeCommand()}\n\n${describeProvenanceCommand()}\n`,
    );
    return;
  }
  let config: Config;
  try {
    config = readConfig(process.argv.slice(2), process.env);
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = 2;
    return;
  }
  const log = pino({ level: config.logLevel, base: { operator: config.identity } });
  const end = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const)
    process.once(name, () => {
      log.info({ signal: name }, 'asked to end');
      end.abort(new Error(`received ${name}`));
    });
  try {
    await runOperator(config, log, end.signal, process.env);
    log.info('ended');
  } catch (err) {
    log.fatal({ err }, 'the operator cannot go on');
    process.exitCode = 1;
  }
  log.flush();
}

if (import.meta.main) await main();
