/** The doors of the operator, on every replica: live API, runners, and the certificates they show. */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import {
  MODELS_TOKEN_AUDIENCE,
  OPERATOR_NAME,
  PUSH_TOKEN_AUDIENCE,
  TOKEN_AUDIENCE,
} from '../common/api/names.ts';
import { PUSH_STEP } from '../common/api/push.ts';
import { operatorUser } from '../common/rules/approval.ts';
import type { Session } from '../common/api/session.ts';
import type { KubeClient } from '../common/kube/client.ts';
import { isNotFound } from '../common/kube/errors.ts';
import type { Reflector } from '../common/kube/reflector.ts';
import { jobs, pods } from '../common/kube/resource.ts';
import type { Resource } from '../common/kube/resource.ts';
import type { KubeObject } from '../common/api/kubernetes.ts';
import type { Config } from './config.ts';
import { systemClock } from './controllers/clock.ts';
import { restParts } from './rest-parts.ts';
import { jobNameFor, pushJobNameOf, trimJob, trimPod } from './controllers/session/index.ts';
import type { TenancyMetrics } from './metrics.ts';
import type { AuditTrail } from './record/audit.ts';
import { createAdmissionServer } from './serve/admission/server.ts';
import { createLiveServer } from './serve/live/server.ts';
import { WatchedFrontProxy } from './serve/live/front-proxy.ts';
import { RunnerRefusals } from './serve/runners/refusals.ts';
import { RunnerIdentity } from './serve/runners/identity.ts';
import { PushDoor } from './serve/runners/push.ts';
import { Runs } from './serve/runners/runs.ts';
import { createRunnerServer } from './serve/runners/server.ts';
import { createRestServer } from './serve/rest/server.ts';
import { OperatorCertificates } from './serve/tls/certificates.ts';
import { Publisher } from './serve/tls/publisher.ts';
import { Admission } from './sessions/admission.ts';
import { BudgetRaises } from './sessions/budget-raises.ts';
import { Costs } from './sessions/costs.ts';
import { Approvals } from './sessions/approvals.ts';
import { Accesses } from './sessions/accesses.ts';
import { Artifacts } from './sessions/artifacts.ts';
import { SessionLog } from './sessions/log.ts';
import { ReflectedSessions } from './sessions/lookup.ts';
import { Launches } from './sessions/launch.ts';
import { ProvenanceRecorder } from './record/provenance/recorder.ts';
import { SigningKey } from './record/provenance/signing-key.ts';
import { Messages } from './sessions/messages.ts';
import type { LostCalls } from './sessions/models/lost-calls.ts';
import { Namespaces } from './sessions/namespaces.ts';
import { Questions } from './sessions/questions.ts';
import { StoredRecords } from './sessions/records.ts';
import { Policies } from './sessions/policies.ts';
import { Resumes } from './sessions/resumes.ts';
import { PushReports } from './sessions/push-reports.ts';
import { RetentionForecasts } from './sessions/retention-forecast.ts';
import { Results } from './sessions/result.ts';
import { Sources } from './sessions/source.ts';
import { Stops } from './sessions/stop.ts';
import { makeModelDoor } from './model-door.ts';
import type { ArtifactStore } from './store/store.ts';
import type { Watches } from './watches.ts';
import { makeWebhookDoor } from './webhook-door.ts';

export interface DoorsOptions {
  config: Config;
  client: KubeClient;
  store: ArtifactStore;
  audit: AuditTrail;
  watches: Watches;
  registry: Registry;
  tenancy: Pick<TenancyMetrics, 'budgetStopped'>;
  log: Logger;
}

export interface Doors {
  ports: { live: number; runners: number; admission: number; rest: number };
  /** Where runners report to, and the PEM of whom they may trust there. */
  endpoint(): { url: string; ca: string };
  records: StoredRecords;
  policies: Policies;
  audit: AuditTrail;
  costs: Costs;
  lostCalls: LostCalls;
  /** Calls back when the upload of a session is complete. */
  onSource(listener: (session: Session) => void): Disposable;
  close(drainMs: number): Promise<void>;
}

/** Resolves when both doors listen. What was opened is closed again when something fails. */
export async function openDoors(options: DoorsOptions): Promise<Doors> {
  const { config, client, store, audit, watches, registry, tenancy, log } = options;
  await using stack = new AsyncDisposableStack();

  const certificates = stack.use(
    new OperatorCertificates({
      client,
      namespace: config.namespace,
      names: namesOf(config),
      clock: systemClock,
      log,
    }),
  );
  const frontProxy = stack.use(new WatchedFrontProxy(client));
  await Promise.all([certificates.start(), frontProxy.start()]);

  const waiting = new Set<(session: Session) => void>();
  const sessions = stack.use(new ReflectedSessions(watches.sessions, client));
  const sessionLog = new SessionLog({
    store,
    sessions,
    onError: (err) => log.warn({ err }, 'merging a log failed'),
    // Each look of each follower is a request that is paid for.
    ...(config.store.kind === 's3' ? { pollMs: S3_POLL_MS } : {}),
  });
  stack.defer(() => sessionLog.close());
  const artifacts = new Artifacts(store);
  const signingKey = new SigningKey({
    client,
    namespace: config.namespace,
    elapsed: () => systemClock.elapsed(),
    log,
  });
  const results = new Results(store);
  const pushReports = new PushReports(store);
  const sources = new Sources({
    store,
    onComplete: (session) => {
      for (const listener of waiting) listener(session);
    },
  });
  const policies = new Policies(watches.namespacePolicies.store);
  const policiesKnown = (): boolean => watches.namespacePolicies.state.lastSync !== undefined;
  const costs = stack.use(
    new Costs({
      store,
      client,
      sessions,
      policies,
      clock: systemClock,
      random: Math.random,
      onError: (err) => log.warn({ err }, 'showing a cost failed; trying again'),
    }),
  );
  const forecasts = new RetentionForecasts({ sessions: watches.sessions.store, policies, now });
  const stops = new Stops({ client, store, now });
  const messages = new Messages({
    client,
    store,
    newId: () => randomUUID(),
    now,
  });
  const namespaces = new Namespaces(watches.namespaces.store, client);
  const launches = new Launches({
    client,
    sessions,
    namespaces,
    policies,
    frameworks: () => watches.frameworks.store.list(),
    audit,
    newName: () => randomUUID(),
  });
  const resumes = new Resumes({ launches, sessions, sources, results });
  const approvals = new Approvals({
    client,
    store,
    policies,
    audit,
    operatorUser: operatorUser(config.namespace),
    now,
  });
  const raises = new BudgetRaises({ client, store, policies, audit, now });
  const accesses = stack.use(
    new Accesses({
      audit,
      store,
      operatorNamespace: config.namespace,
      clock: systemClock,
      onError: (err) => log.warn({ err }, 'recording an access failed'),
    }),
  );
  const shared = {
    accesses,
    sessions,
    log: sessionLog,
    artifacts,
    sources,
    certificates,
    logger: log,
    metrics: registry,
  };
  const identityOf = (
    audience: string,
    more?: { step: string; jobNameFor: typeof jobNameFor },
  ): RunnerIdentity =>
    new RunnerIdentity({
      reviewer: client,
      audience,
      sessions,
      pods: lookup(client, pods, watches.pods, trimPod),
      jobs: lookup(client, jobs, watches.jobs, trimJob),
      jobNameFor,
      now,
      ...more,
    });
  const models = makeModelDoor(
    {
      rules: config.models,
      replica: config.identity,
      client,
      store,
      audit,
      sessions,
      policies,
      costs,
      // The key that the agent has opens nothing else, and that of its runner no models.
      identity: identityOf(MODELS_TOKEN_AUDIENCE),
      accesses,
      registry,
      budgetStopped: () => tenancy.budgetStopped('session'),
      log,
    },
    stack,
  );
  const runs = stack.use(
    new Runs({
      ...lookup(client, pods, watches.pods, (pod) => pod),
      onChange: (listener) => watches.pods.onChange(({ object }) => listener(object)),
    }),
  );
  const identity = identityOf(TOKEN_AUDIENCE);
  const pushing = identityOf(PUSH_TOKEN_AUDIENCE, {
    step: PUSH_STEP,
    jobNameFor: ({ metadata }) => pushJobNameOf(metadata.uid ?? ''),
  });
  const refusalsAt = (door: 'live' | 'runners' | 'rest'): RunnerRefusals =>
    new RunnerRefusals({ identity, others: [pushing], accesses, door });
  const live = createLiveServer({
    ...shared,
    refusals: refusalsAt('live'),
    stops,
    raises,
    approvals,
    messages,
    resumes,
    forecasts,
    frontProxy,
  });
  const refusals = refusalsAt('runners');
  const runners = createRunnerServer({
    ...shared,
    results,
    costs,
    messages,
    questions: new Questions({ client, sessions, now }),
    identity,
    runs,
    refusals,
    models: models.door,
    push: new PushDoor({ identity: pushing, artifacts, reports: pushReports, refusals }),
  });
  const admission = createAdmissionServer({
    admission: new Admission({
      policies,
      framework: (name) => watches.frameworks.store.get({ name }),
      frameworks: () => watches.frameworks.store.list(),
      ready: policiesKnown,
      audit,
      operator: operatorUser(config.namespace),
    }),
    certificates,
    isToken: (sent) => certificates.isAdmissionToken(sent),
    logger: log,
    metrics: registry,
  });
  const parts = await restParts(
    {
      config,
      client,
      watches,
      sessions,
      artifacts,
      policies,
      accesses,
      sessionLog,
      stops,
      approvals,
      raises,
      messages,
      resumes,
      namespaces,
      launches,
      certificates,
    },
    stack,
  );
  const webhooks = makeWebhookDoor({
    client,
    store,
    audit,
    policies,
    stores: {
      sessions: watches.sessions.store,
      namespacePolicies: watches.namespacePolicies.store,
      frameworks: watches.frameworks.store,
      sessionTriggers: watches.sessionTriggers.store,
    },
    ready: policiesKnown,
    operatorNamespace: config.namespace,
    onStranger: (address) => parts.limits.chargeStranger(address),
    registry,
    log,
  });
  const tending = setInterval(() => {
    webhooks.tend().catch((err: unknown) => log.warn({ err }, 'what webhooks have left stays for now'));
  }, TEND_MS).unref();
  stack.defer(() => clearInterval(tending));
  const rest = await createRestServer({
    ...parts,
    plugins: [{ prefix: '/webhooks', plugin: webhooks.plugin }],
    accesses,
    refusals: refusalsAt('rest'),
    certificates,
    logger: log,
    metrics: registry,
  });
  let drain = 0;
  const livePort = await live.listen(config.livePort, config.listenAddress);
  stack.defer(() => live.close(drain));
  const runnerPort = await runners.listen(config.runnerPort, config.listenAddress);
  stack.defer(() => runners.close(drain));
  const admissionPort = await admission.listen(config.admissionPort, config.listenAddress);
  // An answer takes milliseconds, and kube-apiserver keeps connections that it has not used yet.
  stack.defer(() => admission.close(Math.min(drain, ADMISSION_DRAIN_MS)));
  const restPort = await rest.listen(config.restPort, config.listenAddress);
  stack.defer(() => rest.close(drain));
  const publisher = stack.use(new Publisher({ client, certificates, clock: systemClock, log }));
  await publisher.start();

  const opened = stack.move();
  const url = config.runnerUrl ?? `https://${config.listenAddress}:${runnerPort}`;
  return {
    ports: { live: livePort, runners: runnerPort, admission: admissionPort, rest: restPort },
    endpoint: () => ({ url, ca: certificates.caBundle }),
    policies,
    audit,
    costs,
    lostCalls: models.lostCalls,
    records: new StoredRecords({
      pushReports,
      store,
      artifacts,
      results,
      sources,
      costs,
      provenance: config.provenance ? new ProvenanceRecorder(store, () => signingKey.current()) : undefined,
      elapsed: () => systemClock.elapsed(),
    }),
    onSource(listener) {
      waiting.add(listener);
      return { [Symbol.dispose]: () => waiting.delete(listener) };
    },
    close: async (drainMs) => {
      drain = drainMs;
      await opened.disposeAsync();
    },
  };
}

const ADMISSION_DRAIN_MS = 1000;
const S3_POLL_MS = 1000;
const TEND_MS = 3600_000;

const now = (): Date => new Date();

/** By which kube-apiserver and runner pods call the operator. */
function namesOf({ namespace, runnerUrl, listenAddress }: Config): string[] {
  const service = `${OPERATOR_NAME}.${namespace}`;
  const names = new Set([`${service}.svc`, `${service}.svc.cluster.local`, service, OPERATOR_NAME]);
  if (runnerUrl !== undefined) names.add(new URL(runnerUrl).hostname);
  else names.add(listenAddress);
  return [...names];
}

/** The watched store, and the API server itself for what the watch does not know. */
function lookup<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  { store }: Reflector<T>,
  trim: (object: T) => T,
) {
  return {
    get: (namespace: string, name: string) => store.get({ namespace, name }),
    fetch: async (namespace: string, name: string, signal?: AbortSignal) => {
      try {
        return trim(await client.get(resource, { namespace, name }, { signal }));
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
  };
}
