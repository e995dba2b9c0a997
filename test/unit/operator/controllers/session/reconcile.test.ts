import assert from 'node:assert/strict';
import { pino } from 'pino';
import { ANNOTATION_RUN } from '../../../../../common/api/names.ts';
import type { PushDescription, PushReport } from '../../../../../common/api/push.ts';
import type { RunResult } from '../../../../../common/api/runner.ts';
import type { NamespacePolicy } from '../../../../../common/api/namespace-policy.ts';
import type { Framework } from '../../../../../common/api/framework.ts';
import type { HistoryEntry, Session, SessionSpec } from '../../../../../common/api/session.ts';
import type { KubeClient } from '../../../../../common/kube/client.ts';
import type { Event, Job, Pod } from '../../../../../common/kube/core-types.ts';
import { AmbientError } from '../../../../../common/errors.ts';
import { KubeError } from '../../../../../common/kube/errors.ts';
import { ObjectStore } from '../../../../../common/kube/object-store.ts';
import { findCondition } from '../../../../../common/rules/conditions.ts';
import { Policies } from '../../../../../operator/sessions/policies.ts';
import { appendHistory } from '../../../../../operator/record/history.ts';
import { Committer } from '../../../../../operator/controllers/session/committer.ts';
import type { Result } from '../../../../../operator/controllers/queue.ts';
import type { Opening } from '../../../../../operator/record/pull-requests/opener.ts';
import { Memory } from '../../../../../operator/controllers/session/memory.ts';
import {
  bySessionUid,
  makeReconcile,
  sessionKey,
} from '../../../../../operator/controllers/session/reconcile.ts';
import { Turns } from '../../../../../operator/controllers/session/turns.ts';
import { CollectedAudit } from '../../../../support/audit.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { aFramework, aJob, aPod, aPolicy, aResult, aSession, NOW } from '../../../../support/fixtures.ts';
import type { PodBuilder, SessionBuilder } from '../../../../support/fixtures.ts';

const OPERATOR = 'system:serviceaccount:ambient-system:ambient-operator';

const refusal = (status: number, reason: string, message: string, causeReason?: string): KubeError =>
  new KubeError(message, {
    status,
    reason,
    kubeStatus: {
      kind: 'Status',
      apiVersion: 'v1',
      status: 'Failure',
      message,
      ...(causeReason === undefined ? {} : { details: { causes: [{ reason: causeReason }] } }),
    },
  });

/**
 * A controller over stores that a test fills by hand. Stands in for the API server where a test needs what a real one does
 * not do on demand: minutes passing, a watch that lags, a refusal. test/pods runs the same against a real one.
 */
function aController(builder: SessionBuilder, registry: Framework[] = [aFramework()]) {
  const clock = new FakeClock();
  const cluster = 'test';
  const indexes = { session: bySessionUid };
  const sessions = new ObjectStore<Session>({ cluster });
  const jobs = new ObjectStore<Job>({ cluster, indexes });
  const pods = new ObjectStore<Pod>({ cluster, indexes });
  const frameworks = new ObjectStore<Framework>({ cluster });
  const policies = new ObjectStore<NamespacePolicy>({ cluster });
  for (const framework of registry) frameworks.upsert(framework);
  const requests: string[] = [];
  const log: Session[] = [];
  const world = {
    clock,
    sessions,
    jobs,
    pods,
    frameworks,
    policies,
    requests,
    log,
    /** The watch delivers what was written. */
    watching: true,
    refuse: undefined as KubeError | undefined,
    refusePreparation: undefined as KubeError | undefined,
    sourceReady: false,
    result: undefined as RunResult | undefined,
    changed: false,
    opening: { state: 'waiting', againMs: 60_000 } as Opening,
    pushReport: undefined as PushReport | undefined,
    cost: undefined as NonNullable<Session['status']>['cost'],
    serviceAccounts: 0,
    /** What Kubernetes says of the Job and its pod. */
    events: [] as Event[],
    jobsVersion: '1000',
    memory: new Memory(),
    turns: new Turns({
      policies: new Policies(policies),
      hasJob: (uid) => jobs.countByIndex('session', uid) > 0,
      clock,
    }),
    audit: new CollectedAudit(),
    /** The pod that is kept ready. */
    kept: undefined as { jobName: string; podName: string } | undefined,
  };
  let version = 10;
  const nextVersion = (): string => String(++version);
  const session = builder.build();
  session.metadata.resourceVersion = nextVersion();
  let truth = session;
  sessions.upsert(session);
  const api = {
    async create(_: unknown, job: Job) {
      requests.push('create job');
      if (world.refuse) throw world.refuse;
      const made = { ...job, metadata: { ...job.metadata, uid: 'job-uid', resourceVersion: nextVersion() } };
      if (world.watching) jobs.upsert(made);
      return made;
    },
    async get() {
      requests.push('get job');
      const job = jobs.list()[0];
      if (!job) throw refusal(404, 'NotFound', 'no such job');
      return job;
    },
    async list() {
      requests.push('list events');
      return { items: world.events, resourceVersion: '1' };
    },
    async delete() {
      requests.push('delete job');
      for (const { metadata } of jobs.list()) jobs.remove(metadata);
    },
    async jsonPatch(_: unknown, { name }: { name: string }) {
      requests.push(`claim ${name}`);
      throw refusal(404, 'NotFound', 'no such object');
    },
    async mergePatch(
      _: unknown,
      __: unknown,
      patch: { metadata: { resourceVersion?: string }; status: object },
    ) {
      requests.push('patch status');
      const { resourceVersion = truth.metadata.resourceVersion } = patch.metadata;
      if (resourceVersion !== truth.metadata.resourceVersion) throw refusal(409, 'Conflict', 'changed');
      truth = {
        ...truth,
        metadata: { ...truth.metadata, resourceVersion: nextVersion() },
        status: { ...truth.status, ...patch.status },
      };
      if (truth.status?.warmPod === null) delete truth.status.warmPod;
      // Merge patches merge objects; workload is the only one that is written in parts.
      truth.status = {
        ...truth.status,
        workload: { ...session.status?.workload, ...log.at(-1)?.status?.workload, ...truth.status?.workload },
      };
      log.push(truth);
      if (world.watching) sessions.upsert(truth);
      return truth;
    },
  };
  const client = api as unknown as KubeClient;
  const append = async (
    of: Session,
    entries: readonly Omit<HistoryEntry, 'seq'>[],
  ): Promise<HistoryEntry[]> => appendHistory(of.status?.history, entries).history;
  const reconcile = makeReconcile(
    {
      client,
      sessions,
      jobs,
      pods,
      frameworks,
      policies: new Policies(policies),
      turns: world.turns,
      warm: { pick: () => world.kept },
      audit: world.audit,
      budgetStopped: () => undefined,
      operatorUser: OPERATOR,
      clock,
      memory: world.memory,
      jobsVersion: () => world.jobsVersion,
      records: {
        sourceReady: async () => world.sourceReady,
        result: async () => world.result,
        artifacts: async () => ({ generated: [], count: 0, totalBytes: 0, storedBytes: 0, products: [] }),
        hasChanges: async () => world.changed,
        pushReport: async () => world.pushReport,
        vouch: async () => undefined,
        cost: async () => world.cost,
        storageFull: async () => false,
      },
      pullRequests: { open: () => world.opening },
      exporter: { deliver: () => ({ state: 'waiting', againMs: 60_000 }) },
      settings: {
        startPatienceMs: 300_000,
        sourcePatienceMs: 900_000,
        frameworkPatienceMs: 3000,
        stopSlackMs: 90_000,
      },
      endpoint: () => ({ url: 'https://operator', ca: 'PEM' }),
      prepareNamespace: async () => {
        world.serviceAccounts++;
        if (world.refusePreparation) throw world.refusePreparation;
      },
      log: pino({ level: 'silent' }),
    },
    new Committer({ client, clock, append, memory: world.memory, audit: world.audit }),
  );
  const lookOnce = (): Promise<Result> =>
    reconcile(
      sessionKey(session.metadata.namespace ?? '', session.metadata.name),
      new AbortController().signal,
    );
  /** And once more when a watch tells at once what the look has done. */
  const look = async (): Promise<number | undefined> => {
    const before = jobs.size;
    const result = await lookOnce();
    return (jobs.size > before ? await lookOnce() : result)?.requeueAfterMs;
  };
  const status = () => truth.status ?? {};
  return {
    ...world,
    world,
    look,
    status,
    condition: (type: string) => findCondition(status().conditions, type),
    /** Somebody else writes the session. */
    change(to: Session['status']) {
      truth = {
        ...truth,
        metadata: { ...truth.metadata, resourceVersion: nextVersion() },
        status: { ...truth.status, ...to },
      };
      if (world.watching) sessions.upsert(truth);
    },
    pod: (build: (pod: PodBuilder) => PodBuilder) => pods.upsert(build(aPod(session)).build()),
    noPod: () => {
      for (const { metadata } of pods.list()) pods.remove(metadata);
    },
    noJob: () => {
      for (const { metadata } of jobs.list()) jobs.remove(metadata);
    },
    job: (status?: NonNullable<Job['status']>) => jobs.upsert(aJob(session, status)),
    deliver: () => sessions.upsert(truth),
    session,
    /** Looks until nothing is written any more. */
    async settle() {
      for (let before = -1; before !== requests.length;) {
        before = requests.length;
        await look();
      }
    },
  };
}

describe('reconciling a session', () => {
  it('makes its Job and, when the watch brings it, tells so in one write', async () => {
    const c = aController(aSession());
    await c.look();
    assert.deepEqual(c.requests, ['create job', 'patch status']);
    assert.equal(c.serviceAccounts + c.world.serviceAccounts, 1);
    assert.equal(c.status().phase, 'Pending');
    assert.deepEqual(
      ['PolicyValidated', 'SourceReady', 'WorkloadCreated'].map((type) => c.condition(type)?.status),
      ['True', 'True', 'True'],
    );
    assert.equal(c.status().workload?.jobName, 'ambient-uid-of-s1');
    assert.deepEqual(
      c.status().history?.map(({ seq, event, actor }) => [seq, event, actor]),
      [[1, 'Created', 'system:ambient-operator']],
    );
    await c.look();
    await c.look();
    assert.equal(c.requests.length, 2, 'nothing is written when nothing changed');
  });

  it('makes a Job of its own when the pod that it wanted is gone, and asks for no other', async () => {
    const c = aController(aSession());
    c.policies.upsert(aPolicy('default', { warmPods: [{ framework: 'generic', count: 1 }] }));
    c.world.kept = { jobName: 'warm-job', podName: 'warm-pod' };
    await c.look();
    assert.deepEqual(c.requests, ['patch status'], 'before anything is claimed the session says which');
    const { warmPod, phase } = c.status();
    assert.deepEqual([warmPod?.jobName, warmPod?.podName, phase], ['warm-job', 'warm-pod', 'Pending']);
    await c.settle();
    assert.deepEqual(c.requests.slice(1), [
      'claim warm-job',
      'get job',
      'patch status',
      'create job',
      'patch status',
    ]);
    assert.deepEqual([c.status().warmPod, c.status().workload?.jobName], [undefined, 'ambient-uid-of-s1']);
  });

  it('is not claimed for a session that is stopped before', async () => {
    const c = aController(aSession());
    c.policies.upsert(aPolicy('default', { warmPods: [{ framework: 'generic', count: 1 }] }));
    c.world.kept = { jobName: 'warm-job', podName: 'warm-pod' };
    await c.look();
    c.change({ stop: { requestedAt: NOW, requestedBy: 'kim', gracePeriodSeconds: 1 } });
    await c.settle();
    assert.deepEqual([c.status().phase, c.requests], ['Failed', ['patch status', 'patch status']]);
  });

  it('tells once in its history that the version is deprecated', async () => {
    const versions = [{ name: '1', image: 'a', deprecated: 'Use 2.' }];
    const c = aController(aSession(), [aFramework('generic', { versions })]);
    await c.settle();
    c.pod((pod) => pod.running());
    await c.settle();
    assert.deepEqual(
      c.status().history?.map(({ event, data }) => [event, data?.['message']]),
      [
        ['Created', undefined],
        ['FrameworkDeprecated', 'Use 2.'],
        ['Started', undefined],
      ],
    );
    assert.deepEqual(c.requests, ['create job', 'patch status', 'patch status']);
    assert.match(c.condition('PolicyValidated')?.message ?? '', /deprecated: Use 2\.$/);
  });

  it('opens the input of a session whose framework takes messages, and closes a question with its end', async () => {
    const c = aController(
      aSession().spec({ limits: { timeoutSeconds: 60, gracePeriodSeconds: 1, idleSeconds: 9 } }),
      [aFramework('generic', { input: 'messages' })],
    );
    await c.settle();
    assert.deepEqual(c.status().input, { open: true });
    c.pod((pod) => pod.running());
    await c.settle();
    c.change({
      conditions: [
        ...(c.status().conditions ?? []),
        { type: 'NeedsInput', status: 'True', reason: 'Asked', message: 'Which?', lastTransitionTime: NOW },
      ],
    });
    c.world.result = aResult('Succeeded');
    c.pod((pod) => pod.ended(0));
    await c.settle();
    assert.deepEqual([c.status().phase, c.condition('NeedsInput')?.reason], ['Completed', 'Ended']);
    const silent = aController(aSession());
    await silent.settle();
    assert.equal(silent.status().input, undefined);
  });

  it('takes five requests from creation to the end at most, ServiceAccount and token aside', async () => {
    const c = aController(aSession());
    await c.settle();
    c.pod((pod) => pod.waiting('ContainerCreating'));
    await c.settle();
    c.pod((pod) => pod.running());
    await c.settle();
    c.world.result = aResult('Succeeded', { exitCode: 0 });
    c.pod((pod) => pod.ended(0));
    await c.settle();
    c.job({ conditions: [{ type: 'Complete', status: 'True' }] });
    await c.settle();
    assert.deepEqual(c.requests, ['create job', 'patch status', 'patch status', 'patch status']);
    assert.equal(c.status().phase, 'Completed');
    assert.equal(c.condition('Completed')?.reason, 'Succeeded');
    assert.deepEqual(
      c.status().history?.map(({ event }) => event),
      ['Created', 'Started', 'Completed'],
    );
    assert.deepEqual(c.status().workload?.exitCode, 0);
  });

  it('has each of its decisions on record, those of agents and users without their words', async () => {
    const c = aController(aSession());
    await c.settle();
    c.pod((pod) => pod.waiting('ContainerCreating'));
    await c.settle();
    c.pod((pod) => pod.running());
    await c.settle();
    c.world.result = aResult('CommandFailed', { exitCode: 3, message: 'a secret' });
    c.pod((pod) => pod.ended(3));
    await c.settle();
    assert.deepEqual(
      c.audit.events.map(({ resource, details }) => [resource, details?.['phase'], details?.['conditions']]),
      [
        ['jobs', undefined, undefined],
        [
          'sessions/status',
          'Pending',
          [
            'PolicyValidated=True Accepted',
            'Approved=True NotRequired',
            'SourceReady=True NotNeeded',
            'Admitted=True Admitted',
            'WorkloadCreated=True JobCreated',
          ],
        ],
        ['sessions/status', 'Running', undefined],
        ['sessions/status', 'Failed', ['ArtifactsGenerated=True NoArtifacts', 'Failed=True CommandFailed']],
      ],
    );
    const { details, ...last } = c.audit.events.at(-1) ?? assert.fail();
    assert.deepEqual(last, {
      namespace: 'default',
      sessionId: 's1',
      sessionUid: 'uid-of-s1',
      actor: 'system:ambient-operator',
      action: 'update',
      resource: 'sessions/status',
      outcome: 'allowed',
    });
    assert.equal(details?.['from'], 'Running');
    assert.equal(details?.['exitCode'], 3);
    assert.doesNotMatch(JSON.stringify(c.audit.events), /secret/);
  });

  it('decides nothing without a record, says why on the session, and goes on when it can be recorded', async () => {
    const c = aController(aSession());
    c.audit.refuse = new AmbientError('audit_unavailable', 'the store is full');
    await assert.rejects(c.look(), /the store is full/);
    await assert.rejects(c.look(), /the store is full/);
    assert.deepEqual(c.requests, ['patch status'], 'no Job; told once');
    assert.equal(c.status().phase, undefined);
    assert.match(c.status().message ?? '', /audit trail cannot be written/);
    c.audit.refuse = undefined;
    await c.settle();
    assert.equal(c.status().phase, 'Pending');
    assert.equal(c.status().message, 'Waiting for the pod to start.');
    c.pod((pod) => pod.running());
    c.audit.refuse = new AmbientError('audit_unavailable', 'the store is full');
    await assert.rejects(c.look());
    assert.equal(c.status().phase, 'Pending');
    assert.match(c.status().message ?? '', /audit trail/);
    c.audit.refuse = undefined;
    await c.settle();
    assert.equal(c.status().phase, 'Running');
    assert.doesNotMatch(c.status().message ?? '', /audit trail/);
  });

  it('goes over Running when the run was over before anybody looked', async () => {
    const c = aController(aSession());
    await c.look();
    c.world.result = aResult('Succeeded');
    c.pod((pod) => pod.ended(0));
    await c.settle();
    assert.deepEqual(
      c.log.map(({ status }) => status?.phase),
      ['Pending', 'Running', 'Completed'],
    );
  });

  it('goes straight to Failed when the run had failed before anybody looked, and still tells that it started', async () => {
    const c = aController(aSession());
    await c.look();
    c.world.result = aResult('CommandFailed', { exitCode: 3 });
    c.pod((pod) => pod.ended(3));
    await c.settle();
    assert.deepEqual(
      c.log.map(({ status }) => status?.phase),
      ['Pending', 'Failed'],
    );
    assert.deepEqual(
      c.status().history?.map(({ event }) => event),
      ['Created', 'Started', 'Failed'],
    );
  });

  it('waits a moment for an unknown framework, takes it when it appears', async () => {
    const c = aController(aSession(), []);
    assert.equal(await c.look(), 3000);
    assert.deepEqual(c.requests, []);
    c.frameworks.upsert(aFramework());
    await c.look();
    assert.equal(c.status().phase, 'Pending');
  });

  it('fails when the framework does not appear, naming those there are', async () => {
    const c = aController(aSession().of('nope'));
    await c.look();
    await c.clock.advance(3000);
    await c.look();
    assert.equal(c.status().phase, 'Failed');
    assert.equal(c.condition('Failed')?.reason, 'UnknownFramework');
    assert.match(c.condition('PolicyValidated')?.message ?? '', /This cluster has: generic/);
    assert.deepEqual(c.requests, ['patch status']);
  });

  it('fails a session that its namespace forbids, though nobody refused it at its creation', async () => {
    const c = aController(aSession().of('generic', { command: 'true', model: 'gpt-5' }));
    c.policies.upsert(aPolicy('default', { models: { allowed: ['claude-*'] } }));
    await c.look();
    assert.equal(c.status().phase, 'Failed');
    assert.equal(c.condition('Failed')?.reason, 'PolicyViolation');
    assert.equal(c.condition('PolicyValidated')?.status, 'False');
    assert.equal(
      c.condition('PolicyValidated')?.message,
      'spec.framework.config.model is "gpt-5": spec.models.allowed of the namespace\'s policy does not cover it. Allowed: claude-*.',
    );
    assert.deepEqual(c.requests, ['patch status']);
  });

  it('counts the model that the framework takes when none is asked for', async () => {
    const properties = { command: { type: 'string' }, model: { type: 'string', default: 'gpt-5' } };
    const registry = [aFramework('generic', { configSchema: { type: 'object', properties } })];
    const c = aController(aSession(), registry);
    c.policies.upsert(aPolicy('default', { models: { blocked: ['gpt-*'] } }));
    await c.look();
    assert.equal(c.condition('Failed')?.reason, 'PolicyViolation');
  });

  it('decides about a session that waits by the policy of today, and leaves one that runs alone', async () => {
    const upload = { sizeBytes: 9, digest: `sha256:${'0'.repeat(64)}` };
    const waits = aController(aSession().spec({ source: { type: 'upload', upload } }));
    const runs = aController(aSession());
    for (const c of [waits, runs]) {
      await c.settle();
      c.policies.upsert(aPolicy('default', { models: { budget: { monthly: '1.00' } } }));
      await c.settle();
      assert.equal(c.status().phase, 'Pending');
    }
    const strict = aController(
      aSession().spec({
        source: { type: 'upload', upload },
        policy: { modelConstraints: { budget: '5.00' } },
      }),
    );
    await strict.settle();
    assert.equal(strict.status().phase, 'Pending');
    strict.policies.upsert(aPolicy('default', { models: { budget: { monthly: '1.00' } } }));
    await strict.settle();
    assert.equal(strict.condition('Failed')?.reason, 'PolicyViolation');

    const running = aController(aSession().spec({ policy: { modelConstraints: { budget: '5.00' } } }));
    await running.settle();
    running.pod((pod) => pod.running());
    running.policies.upsert(aPolicy('default', { models: { budget: { monthly: '1.00' } } }));
    await running.settle();
    assert.equal(running.status().phase, 'Running');
  });

  it('waits for the upload, starts when woken, and gives up after a while', async () => {
    const upload = { sizeBytes: 9, digest: `sha256:${'0'.repeat(64)}` };
    const waiting = () => aController(aSession().spec({ source: { type: 'upload', upload } }));
    const c = waiting();
    assert.equal(await c.look(), 5000);
    assert.equal(c.condition('SourceReady')?.reason, 'AwaitingUpload');
    c.world.sourceReady = true;
    await c.look();
    assert.deepEqual(c.requests, ['patch status', 'create job', 'patch status']);

    const late = waiting();
    await late.look();
    await late.clock.advance(900_000);
    await late.look();
    assert.equal(late.condition('Failed')?.reason, 'SourceUnavailable');
    assert.match(late.status().message ?? '', /did not arrive within 15 min/);
  });

  it('tells once that the image cannot be pulled, fails after its patience, and takes the Job away', async () => {
    const c = aController(aSession());
    await c.look();
    c.pod((pod) => pod.waiting('ErrImagePull', 'manifest unknown'));
    assert.equal(await c.look(), 3000, 'what passes within moments is not worth a write');
    assert.equal(c.requests.length, 2);
    await c.clock.advance(3000);
    assert.equal(await c.look(), 297_000);
    assert.match(c.status().message ?? '', /cannot be pulled \(ErrImagePull\): manifest unknown/);
    c.pod((pod) => pod.waiting('ImagePullBackOff', 'Back-off pulling'));
    await c.look();
    assert.equal(c.requests.length, 3, 'other words for the same trouble are not worth a write');
    await c.clock.advance(297_000);
    await c.settle();
    assert.equal(c.condition('Failed')?.reason, 'ImagePullFailed');
    assert.match(c.status().message ?? '', /went on for 5 min/);
    assert.deepEqual(c.requests.slice(3), ['patch status', 'delete job']);
  });

  it('forgets the trouble when the image comes after all', async () => {
    const c = aController(aSession());
    await c.look();
    c.pod((pod) => pod.waiting('ErrImagePull'));
    await c.look();
    await c.clock.advance(299_000);
    c.pod((pod) => pod.running());
    await c.look();
    assert.equal(c.status().phase, 'Running');
    assert.match(c.status().message ?? '', /^Running on node/);
  });

  const kubelet = (reason: string, note: string, at: string, type: Event['type'] = 'Warning'): Event => ({
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: `${reason}-${at}` },
    deprecatedLastTimestamp: at,
    ...{ type, reason, note },
  });

  it('says why a node cannot start the pod, which the pod itself does not tell, until it can', async () => {
    const c = aController(aSession());
    await c.look();
    c.pod((pod) => pod.waiting('ContainerCreating'));
    assert.equal(await c.look(), 60_000, 'most pods start, or pull their image, without anybody asking');
    assert.ok(!c.requests.includes('list events'));
    await c.clock.advance(60_000);
    c.world.events = [
      kubelet('FailedCreatePodSandBox', 'no runtime for "gvisor" is configured', '2030-01-01T00:01:00Z'),
      kubelet('Scheduled', 'to node-1', '2030-01-01T00:00:00Z', 'Normal'),
    ];
    assert.equal(await c.look(), 3000);
    await c.clock.advance(3000);
    assert.equal(await c.look(), 30_000);
    assert.match(
      c.status().message ?? '',
      /node cannot start the pod \(no runtime for "gvisor" is configured\)\. Kubernetes tries again/,
    );
    c.world.events.push(kubelet('Pulling', 'the image', '2030-01-01T00:01:30Z', 'Normal'));
    await c.clock.advance(30_000);
    await c.look();
    assert.equal(c.status().message, 'Waiting for the pod to start.');

    c.world.events.push(kubelet('FailedMount', 'no such volume', '2030-01-01T00:02:00Z'));
    await c.clock.advance(60_000);
    await c.look();
    await c.clock.advance(300_000);
    await c.settle();
    assert.equal(c.condition('Failed')?.reason, 'ContainerNotStarted');
    assert.match(c.status().message ?? '', /no such volume\)\. This went on for 5 min\. Ask whoever runs/);
  });

  it('says that the cluster lacks the RuntimeClass it was told to use', async () => {
    const c = aController(aSession().spec({ runtimeClassName: 'gvisor' }));
    const policy = aPolicy('default', { isolation: { runtimeClasses: { allowed: ['gvisor'] } } });
    c.policies.upsert(policy);
    await c.look();
    assert.equal(c.jobs.list()[0]?.spec.template.spec.runtimeClassName, 'gvisor');
    c.world.events = [
      kubelet(
        'FailedCreate',
        'Error creating: pods "x-" is forbidden: pod rejected: RuntimeClass "gvisor" not found',
        '2030-01-01T00:00:00Z',
      ),
    ];
    await c.look();
    await c.clock.advance(10_000);
    await c.look();
    assert.match(c.status().message ?? '', /cannot make the pod: this cluster has no RuntimeClass "gvisor"/);
    await c.clock.advance(300_000);
    await c.settle();
    assert.equal(c.condition('Failed')?.reason, 'WorkloadRejected');
  });

  it('lets a session wait for room on a node as long as it takes', async () => {
    const c = aController(aSession());
    await c.look();
    c.pod((pod) => pod.unschedulable('0/3 nodes are available'));
    assert.equal(await c.look(), 3000);
    assert.equal(c.requests.length, 2, 'a node that is found within moments is not worth a write');
    await c.clock.advance(86_400_000);
    await c.look();
    assert.equal(c.status().phase, 'Pending');
    assert.match(c.status().message ?? '', /0\/3 nodes/);
  });

  it('stops before there is a Job without making one', async () => {
    const c = aController(aSession().pending().stopRequested('ann'));
    await c.look();
    assert.deepEqual(c.requests, ['patch status']);
    assert.equal(c.condition('Failed')?.reason, 'Stopped');
    assert.match(c.status().message ?? '', /by ann/);
  });

  it('stops a pod that has not started at once', async () => {
    const c = aController(aSession());
    await c.look();
    c.pod((pod) => pod.waiting('ContainerCreating'));
    c.change(aSession().stopRequested().build().status);
    await c.settle();
    assert.equal(c.condition('Failed')?.reason, 'Stopped');
    assert.equal(c.requests.at(-1), 'delete job');
  });

  it('gives a running session its grace period and takes the pod away after it', async () => {
    const c = aController(aSession());
    await c.look();
    c.pod((pod) => pod.running());
    await c.look();
    c.change(aSession().stopRequested('ann', 10).build().status);
    assert.equal(await c.look(), 100_000);
    assert.equal(c.status().phase, 'Running');
    await c.clock.advance(100_000);
    await c.settle();
    assert.equal(c.condition('Failed')?.reason, 'Stopped');
    assert.equal(c.requests.at(-1), 'delete job');
  });

  it('believes the pod that ended in time after a stop', async () => {
    const c = aController(aSession());
    await c.look();
    c.pod((pod) => pod.running());
    await c.look();
    c.change(aSession().stopRequested('ann', 10).build().status);
    await c.look();
    c.world.result = aResult('Stopped');
    c.pod((pod) => pod.ended(143));
    await c.settle();
    assert.match(c.status().message ?? '', /^Stopped by ann/);
    assert.ok(!c.requests.includes('delete job'));
  });

  it('does nothing while the watches lag behind its own writes', async () => {
    const c = aController(aSession());
    c.world.watching = false;
    c.world.jobsVersion = '5';
    await c.look();
    assert.equal(await c.look(), 1000, 'the Job it made is only not seen yet');
    assert.deepEqual(c.requests, ['create job']);
    c.job();
    c.world.jobsVersion = '1000';
    await c.look();
    await c.look();
    assert.deepEqual(c.requests, ['create job', 'patch status']);
    c.deliver();
    c.noJob();
    c.world.jobsVersion = '5';
    assert.equal(await c.look(), 1000, 'nor is it gone now');
    assert.deepEqual(c.requests, ['create job', 'patch status']);
  });

  it('starts over when somebody else was faster', async () => {
    const c = aController(aSession());
    c.world.watching = false;
    c.change({ message: 'mine' });
    assert.equal(await c.look(), 1000);
    c.deliver();
    c.world.watching = true;
    c.world.refuse = refusal(409, 'AlreadyExists', 'exists');
    c.job();
    await c.look();
    assert.equal(c.status().phase, 'Pending');
  });

  it('finds the Job that was made just before a crash', async () => {
    const c = aController(aSession());
    c.job();
    c.world.refuse = refusal(409, 'AlreadyExists', 'exists');
    c.world.watching = false;
    await c.look();
    assert.equal(c.status().workload?.jobName, 'ambient-uid-of-s1');
    for (const type of ['PolicyValidated', 'SourceReady', 'WorkloadCreated'])
      assert.equal(c.condition(type)?.status, 'True', type);
  });

  it('tells all there is to tell when the Job was made before a restart and its framework is gone since', async () => {
    const c = aController(aSession(), []);
    c.job();
    await c.look();
    assert.deepEqual(c.requests, ['patch status']);
    for (const type of ['PolicyValidated', 'SourceReady', 'WorkloadCreated'])
      assert.equal(c.condition(type)?.status, 'True', type);
  });

  it('asks the API server before it says that a Job is gone', async () => {
    const c = aController(
      aSession()
        .running()
        .status({
          conditions: [
            {
              type: 'WorkloadCreated',
              status: 'True',
              reason: 'JobCreated',
              message: '',
              lastTransitionTime: '2030-01-01T00:00:00Z',
            },
          ],
        }),
    );
    await c.look();
    assert.deepEqual(c.requests, ['get job', 'patch status']);
    assert.equal(c.condition('Failed')?.reason, 'PodDeleted');
    assert.match(c.status().message ?? '', /Job ambient-uid-of-s1 is not there any more/);
  });

  it('still knows how a pod ended when the pod is gone', async () => {
    const c = aController(aSession());
    await c.look();
    c.pod((pod) => pod.running());
    await c.look();
    c.pod((pod) => pod.running().disrupted('DeletionByPodGC', 'node not found'));
    await c.look();
    c.noPod();
    c.job({ conditions: [{ type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded' }] });
    await c.settle();
    assert.equal(c.condition('Failed')?.reason, 'NodeLost');
  });

  it('waits for room in a quota, and says so', async () => {
    const c = aController(aSession());
    c.world.refuse = refusal(403, 'Forbidden', 'jobs.batch "x" is forbidden: exceeded quota: jobs');
    assert.equal(await c.look(), 15_000);
    assert.equal(c.status().phase, 'Pending');
    assert.match(c.status().message ?? '', /Waiting for room in the quota.*exceeded quota: jobs/);
    c.world.refuse = undefined;
    await c.look();
    assert.equal(c.condition('WorkloadCreated')?.status, 'True');
  });

  it('fails when an admission webhook denies the Job', async () => {
    const c = aController(aSession());
    c.world.refuse = refusal(403, 'Forbidden', 'admission webhook "guard" denied the request: no');
    await c.look();
    assert.equal(c.condition('Failed')?.reason, 'WorkloadRejected');
    assert.match(c.status().message ?? '', /guard.*denied/);
  });

  it('waits for its own rights instead of blaming the session', async () => {
    const c = aController(aSession());
    c.world.refuse = refusal(
      403,
      'Forbidden',
      'jobs.batch is forbidden: User "x" cannot create resource "jobs"',
    );
    assert.equal(await c.look(), 30_000);
    assert.equal(c.condition('WorkloadCreated')?.reason, 'OperatorForbidden');
  });

  it('does nothing in a namespace that goes away, nor for a session that does', async () => {
    const c = aController(aSession());
    c.world.refuse = refusal(403, 'Forbidden', 'is being terminated', 'NamespaceTerminating');
    await c.look();
    const leaving = aController(aSession());
    leaving.sessions.upsert({
      ...leaving.session,
      metadata: { ...leaving.session.metadata, deletionTimestamp: '2030-01-01T00:00:00Z' },
    });
    await leaving.look();
    assert.deepEqual(leaving.requests, []);
  });

  it('lets a refusal that may pass be tried again', async () => {
    const c = aController(aSession());
    c.world.refuse = refusal(500, 'InternalError', 'etcd is slow');
    await assert.rejects(c.look(), /etcd is slow/);
  });

  it('reads the result from the last words of a runner that could not report', async () => {
    const c = aController(aSession());
    await c.look();
    c.pod((pod) =>
      pod.ended(
        74,
        'Error',
        JSON.stringify(aResult('ArtifactsIncomplete', { message: 'two files were lost' })),
      ),
    );
    await c.settle();
    assert.equal(c.condition('Failed')?.reason, 'ArtifactsIncomplete');
    assert.match(c.status().message ?? '', /two files were lost/);
  });

  it('refuses a description that no pod can be given', async () => {
    const c = aController(aSession().of('generic', { command: 'x', note: 'y'.repeat(250_000) }));
    await c.look();
    assert.equal(c.condition('Failed')?.reason, 'TooLarge');
    assert.ok(!c.requests.includes('create job'));
  });

  describe('where the namespace has no room', () => {
    it('waits Pending with its place in line, without a Job, and writes no more until there is news', async () => {
      const c = aController(aSession('b'));
      c.policies.upsert(aPolicy('default', { concurrency: { maxSessions: 1 } }));
      const first = aSession('a').build();
      c.turns.ask(first);
      await c.settle();
      assert.deepEqual(c.requests, ['patch status']);
      const { phase, queue, message } = c.status();
      assert.deepEqual(
        [phase, queue, message],
        [
          'Pending',
          { reason: 'Concurrency', position: 1, since: '2030-01-01T00:00:00Z' },
          'Waiting: 1st in line; 1 of 1 sessions of namespace default run.',
        ],
      );
      assert.deepEqual(
        [c.condition('Admitted')?.status, c.condition('Admitted')?.reason],
        ['False', 'AwaitingTurn'],
      );
      c.turns.withdraw(first);
      await c.settle();
      assert.deepEqual(c.requests, ['patch status', 'create job', 'patch status']);
      assert.equal(c.status().queue ?? undefined, undefined);
      assert.equal(c.condition('Admitted')?.status, 'True');
      assert.deepEqual(
        c.status().history?.map(({ event }) => event),
        ['Created'],
      );
    });

    it('says what money it waits for', async () => {
      const c = aController(aSession('b'));
      c.policies.upsert(aPolicy('default', { models: { budget: { monthly: '6.00', perSession: '5.00' } } }));
      c.turns.ask(aSession('a').build());
      await c.settle();
      assert.equal(c.status().queue?.reason, 'Budget');
      assert.equal(c.condition('Admitted')?.reason, 'AwaitingBudget');
      assert.match(
        c.status().message ?? '',
        /^Waiting: 1st in line; of the 6\.00 USD of namespace default 0\.00 USD are spent and 5\.00 USD held .* 1\.00 USD are free, and this session may spend 5\.00 USD\.$/,
      );
    });

    it('leaves the line when it is stopped', async () => {
      const c = aController(aSession('b'));
      c.policies.upsert(aPolicy('default', { concurrency: { maxSessions: 0 } }));
      await c.settle();
      assert.equal(c.turns.account('default').waiting, 1);
      c.change({ stop: { requestedAt: NOW, requestedBy: 'ann', gracePeriodSeconds: 1 } });
      await c.settle();
      assert.equal(c.condition('Failed')?.reason, 'Stopped');
      assert.equal(c.turns.account('default').waiting, 0);
    });
  });

  it('stops a session whose budget is spent, records it, and ends it for that reason', async () => {
    const c = aController(aSession().spec({ policy: { modelConstraints: { budget: '1.00' } } }));
    await c.settle();
    c.pod((pod) => pod.running());
    await c.settle();
    c.change({ cost: { total: '1.20', days: { '2030-01-01': '1.20' } } });
    await c.settle();
    const { stop, message } = c.status();
    assert.equal(stop?.requestedBy, 'system:ambient-operator');
    assert.match(message ?? '', /^Stopping: The session has spent 1\.20 USD, and its budget is 1\.00 USD\.$/);
    assert.equal(c.condition('BudgetExceeded')?.status, 'True');
    assert.deepEqual(
      c.audit.events
        .filter(({ resource }) => resource === 'sessions/stop')
        .map(({ resource, sessionId, outcome }) => [resource, sessionId, outcome]),
      [['sessions/stop', 's1', 'allowed']],
    );
    c.world.result = aResult('Stopped');
    c.pod((pod) => pod.ended(143));
    await c.settle();
    assert.equal(c.status().phase, 'Failed');
    assert.equal(c.condition('Failed')?.reason, 'BudgetExceeded');
    assert.match(c.status().message ?? '', /Launch again with a higher budget/);
    assert.deepEqual(
      c.status().history?.map(({ event }) => event),
      ['Created', 'Started', 'BudgetExceeded', 'Failed'],
    );
  });
});

describe('a session that needs approval', () => {
  const launched = () => aSession().spec({ createdBy: { user: 'ann' } });
  type Approval = NonNullable<NamespacePolicy['spec']['approval']>;
  function aGuarded(approval: Approval, builder: SessionBuilder = launched()) {
    const c = aController(builder);
    const policy = (to: Approval): void => void c.policies.upsert(aPolicy('default', { approval: to }));
    policy(approval);
    return Object.assign(c, { policy });
  }
  const events = (c: ReturnType<typeof aController>) =>
    c.status().history?.map(({ event, actor }) => [event, actor]);

  it('waits without a Job, says whom to ask, and asks once', async () => {
    const c = aGuarded({ required: true, approvers: ['leads'] });
    await c.settle();
    assert.deepEqual(c.requests, ['patch status']);
    assert.equal(c.status().phase, 'Pending');
    assert.deepEqual(
      [c.condition('Approved')?.status, c.condition('Approved')?.reason],
      ['False', 'AwaitingApproval'],
    );
    assert.match(c.status().message ?? '', /^Waiting for approval by leads\. The namespace's policy/);
    assert.deepEqual(events(c), [
      ['Created', 'system:ambient-operator'],
      ['ApprovalRequested', 'system:ambient-operator'],
    ]);
    c.policy({ required: true, approvers: ['eve'] });
    await c.settle();
    assert.match(c.status().message ?? '', /approval by eve/);
    assert.equal(events(c)?.length, 2, 'asked once');
  });

  it('starts when it is approved', async () => {
    const c = aGuarded({ required: true });
    await c.settle();
    c.change({ approval: { decision: 'Approved', by: 'bob', at: NOW, reason: 'fine' } });
    await c.settle();
    assert.deepEqual(c.requests, ['patch status', 'create job', 'patch status']);
    assert.deepEqual(
      [c.condition('Approved')?.reason, c.condition('Approved')?.message],
      ['Approved', 'Approved by bob: fine'],
    );
    assert.equal(c.status().message, 'Waiting for the pod to start.');
  });

  it('ends when it is rejected, with the reason', async () => {
    const c = aGuarded({ required: true });
    await c.settle();
    c.change({ approval: { decision: 'Rejected', by: 'bob', at: NOW, reason: 'too dear' } });
    await c.settle();
    assert.ok(!c.requests.includes('create job'));
    assert.equal(c.condition('Failed')?.reason, 'Rejected');
    assert.equal(c.status().message, 'Rejected by bob: too dear.');
    assert.equal(c.condition('Approved')?.reason, 'Rejected');
  });

  it('goes on when the policy no longer asks, and says so once', async () => {
    const c = aGuarded({ required: true });
    await c.settle();
    c.policy({ required: false });
    await c.settle();
    assert.equal(c.condition('Approved')?.reason, 'NotRequired');
    assert.deepEqual(
      events(c)?.map(([event]) => event),
      ['Created', 'ApprovalRequested', 'ApprovalWaived'],
    );
    assert.equal(c.jobs.size, 1);
  });

  it('waits, by its own wish, whatever the policy would approve', async () => {
    const c = aGuarded(
      { autoApprove: { triggers: ['manual'] } },
      launched().spec({ policy: { approvalRequired: true } }),
    );
    await c.settle();
    assert.equal(c.condition('Approved')?.reason, 'AwaitingApproval');
    assert.match(c.status().message ?? '', /The session itself asks for it/);
  });

  it('is approved by the policy in writing before its Job is made', async () => {
    const c = aGuarded({ required: true, autoApprove: { triggers: ['manual'] } });
    await c.look();
    assert.deepEqual(c.requests, ['patch status']);
    assert.equal(c.status().approval?.by, 'system:ambient-operator');
    assert.equal(c.condition('Approved')?.reason, 'AutoApproved');
    await c.settle();
    assert.equal(c.jobs.size, 1);
    assert.deepEqual(c.status().history?.[1]?.data, {
      reason: 'The policy approves by itself: trigger manual.',
    });
  });

  it('is stopped while it waits', async () => {
    const c = aGuarded({ required: true });
    await c.settle();
    c.change({ stop: { requestedAt: NOW, requestedBy: 'ann', gracePeriodSeconds: 0 } });
    await c.settle();
    assert.equal(c.condition('Failed')?.reason, 'Stopped');
    assert.ok(!c.requests.includes('create job'));
  });

  it('costs a session that needs none no request', async () => {
    const c = aController(launched());
    await c.settle();
    assert.deepEqual(c.requests, ['create job', 'patch status']);
    assert.equal(c.condition('Approved')?.reason, 'NotRequired');
  });

  it('is not asked for once there is a Job, whatever the policy says by then', async () => {
    const c = aGuarded({});
    c.world.watching = false;
    c.world.jobsVersion = '5';
    await c.look();
    c.policy({ required: true });
    await c.settle();
    c.job();
    await c.look();
    assert.equal(c.condition('Approved')?.reason, 'NotRequired');
    assert.equal(c.requests.filter((request) => request === 'create job').length, 1);
  });
});

describe('a session whose namespace restricts it', () => {
  const restricting = (
    restrictions: { network?: boolean; fileSystem?: boolean; execution?: boolean },
    framework = aFramework(),
  ) => {
    const c = aController(aSession(), [framework]);
    c.policies.upsert(aPolicy('default', { tools: { restrictions } }));
    return c;
  };

  it('has no Job of a framework that executes commands where execution is restricted', async () => {
    const c = restricting({ execution: true });
    await c.settle();
    assert.deepEqual(c.requests, ['patch status']);
    assert.equal(c.condition('Failed')?.reason, 'PolicyViolation');
    assert.match(
      c.status().message ?? '',
      /spec\.framework\.type.*"generic".*spec\.tools\.restrictions\.execution of the namespace's policy is true/,
    );
  });

  it('has one of a framework that holds back', async () => {
    const c = restricting({ execution: true, fileSystem: true }, aFramework('generic', { executes: false }));
    await c.settle();
    const [job] = c.jobs.list();
    const run = JSON.parse(job?.spec.template.metadata?.annotations?.['ambient.ai/run'] ?? '{}') as {
      restrictions?: object;
    };
    assert.deepEqual(run.restrictions, { network: false, fileSystem: true, execution: true });
    assert.ok(job?.spec.template.spec.volumes?.some(({ name }) => name === 'shared-memory'));
  });

  it('has no pod without its NetworkPolicy', async () => {
    const c = restricting({ network: true });
    c.world.refusePreparation = refusal(
      403,
      'Forbidden',
      'networkpolicies is forbidden: User "x" cannot create resource "networkpolicies"',
    );
    assert.equal(await c.look(), 30_000);
    assert.ok(!c.requests.includes('create job'));
    assert.match(c.status().message ?? '', /The operator lacks a right here: networkpolicies/);
    c.world.refusePreparation = refusal(500, 'InternalError', 'etcd is slow');
    await assert.rejects(c.look(), /etcd is slow/);
  });
});

describe('a completed session whose changes are wanted on a branch', () => {
  const COMMIT = 'a'.repeat(40);
  const git = { url: 'https://git.example.com/team/app', credentials: 'git' };
  function asking(branches = ['ambient/*'], spec: Partial<SessionSpec> = {}) {
    const c = aController(aSession().spec({ source: { type: 'git', git }, result: {}, ...spec }));
    c.policies.upsert(aPolicy(c.session.metadata.namespace, { results: { branches } }));
    c.change({ phase: 'Completed' });
    c.world.result = aResult('Succeeded', { sourceCommit: COMMIT });
    c.world.changed = true;
    return c;
  }
  const reason = (c: ReturnType<typeof asking>) => c.condition('ResultPushed')?.reason;
  const over = (c: ReturnType<typeof asking>, type: 'Complete' | 'Failed'): void => {
    for (const job of c.jobs.list())
      c.jobs.upsert({ ...job, status: { conditions: [{ type, status: 'True' }] } });
  };

  it('is pushed by a Job of its own, which is on record first, and then says where', async () => {
    const c = asking();
    await c.settle();
    assert.equal(reason(c), 'Pushing');
    assert.equal(c.requests.filter((request) => request === 'create job').length, 1);
    const [job] = c.jobs.list();
    assert.deepEqual(
      c.world.audit.events.filter(({ resource }) => resource === 'jobs').map(({ details }) => details),
      [{ job: job?.metadata.name }],
    );
    const pod = job?.spec.template.spec;
    assert.deepEqual(
      pod?.volumes?.flatMap(({ secret }) => secret?.secretName ?? []),
      ['git'],
    );
    assert.deepEqual(
      pod.volumes.flatMap(
        ({ projected }) =>
          projected?.sources.flatMap((source) => source.serviceAccountToken?.audience ?? []) ?? [],
      ),
      ['ambient-push'],
    );
    c.world.pushReport = { state: 'pushed', branch: 'ambient/s1', commit: COMMIT, base: 'main' };
    over(c, 'Complete');
    await c.settle();
    assert.equal(reason(c), 'Pushed');
    assert.deepEqual(c.status().result, { branch: 'ambient/s1', commit: COMMIT, base: 'main' });
    assert.deepEqual(
      c.status().history?.map(({ event }) => event),
      ['ResultPushed'],
    );
  });

  it('of a resumed session is for the branch that was cloned first', async () => {
    const c = asking(undefined, {
      source: { type: 'git', git: { ...git, ref: COMMIT } },
      resume: { session: 's0', uid: 'uid-of-s0', source: 'uid-of-s0', ref: 'release' },
    });
    await c.settle();
    const annotations = c.jobs.list()[0]?.spec.template.metadata?.annotations;
    const { source } = JSON.parse(annotations?.[ANNOTATION_RUN] ?? '') as PushDescription;
    assert.deepEqual(source, { url: git.url, commit: COMMIT, ref: 'release' });
  });

  it('tells a failure while it is tried again, and gives up with the Job', async () => {
    const c = asking();
    await c.settle();
    c.world.pushReport = { state: 'failed', reason: 'CredentialsRefused', message: 'no' };
    await c.settle();
    assert.equal(reason(c), 'Pushing');
    assert.match(c.condition('ResultPushed')?.message ?? '', /^no\. It is tried again/);
    over(c, 'Failed');
    await c.settle();
    assert.equal(reason(c), 'CredentialsRefused');
    c.noJob();
    await c.settle();
    assert.equal(c.requests.filter((request) => request === 'create job').length, 1, 'it stays given up');
  });

  it('has no Job where policy does not list its branch any more, or nothing changed', async () => {
    const forbidden = asking(['elsewhere/*']);
    await forbidden.settle();
    assert.equal(reason(forbidden), 'NotAllowed');
    const unchanged = asking();
    unchanged.world.changed = false;
    await unchanged.settle();
    assert.equal(reason(unchanged), 'NothingChanged');
    assert.deepEqual([...forbidden.jobs.list(), ...unchanged.jobs.list()], []);
  });

  it('waits for room in a quota, and does not let other work after the end wait', async () => {
    const c = asking();
    c.world.refuse = refusal(403, 'Forbidden', 'exceeded quota: small');
    await c.look();
    assert.match(c.condition('ResultPushed')?.message ?? '', /exceeded quota/);
    c.world.refuse = undefined;
    await c.settle();
    assert.equal(c.jobs.list().length, 1);
  });

  it('asks for nothing of one that failed', async () => {
    const c = asking();
    c.change({ phase: 'Failed' });
    await c.settle();
    assert.equal(reason(c), undefined);
    assert.deepEqual(c.requests, []);
  });
});
