/** The runners' door over real TLS. Tokens are made up here, and so is the one who reviews them; test/pods has real ones. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import {
  ANNOTATION_RUN,
  API_VERSION,
  LABEL_SESSION,
  LABEL_SESSION_UID,
  LABEL_STEP,
  LABEL_WARM,
  MODELS_TOKEN_AUDIENCE,
  PUSH_TOKEN_AUDIENCE,
  TOKEN_AUDIENCE,
} from '../../../../common/api/names.ts';
import { PUSH_STEP } from '../../../../common/api/push.ts';
import type { LogRecord } from '../../../../common/api/log.ts';
import type { Session } from '../../../../common/api/session.ts';
import { AmbientError } from '../../../../common/errors.ts';
import type { TokenOwner } from '../../../../common/kube/access.ts';
import type { Job, Pod } from '../../../../common/kube/core-types.ts';
import type { Door } from '../../../../operator/serve/http/server.ts';
import { jobNameFor, pushJobNameOf } from '../../../../operator/controllers/session/index.ts';
import { RunnerIdentity } from '../../../../operator/serve/runners/identity.ts';
import type { RunnerIdentityOptions } from '../../../../operator/serve/runners/identity.ts';
import { PushDoor } from '../../../../operator/serve/runners/push.ts';
import { Runs } from '../../../../operator/serve/runners/runs.ts';
import { RunnerRefusals } from '../../../../operator/serve/runners/refusals.ts';
import { createRunnerServer, EVENTS_BYTES_MAX } from '../../../../operator/serve/runners/server.ts';
import type { Accesses } from '../../../../operator/sessions/accesses.ts';
import { Artifacts } from '../../../../operator/sessions/artifacts.ts';
import type { CostReport } from '../../../../operator/sessions/costs.ts';
import { SessionLog } from '../../../../operator/sessions/log.ts';
import { PushReports } from '../../../../operator/sessions/push-reports.ts';
import { Results } from '../../../../operator/sessions/result.ts';
import { Sources } from '../../../../operator/sessions/source.ts';
import { anAccesses, CollectedAudit } from '../../../support/audit.ts';
import { TestCertificates } from '../../../support/certificates.ts';
import { aJob, aPod, aResult, aSession } from '../../../support/fixtures.ts';
import { ask } from '../../../support/https.ts';
import type { Answer, AskOptions } from '../../../support/https.ts';
import { KnownSessions } from '../../../support/known-sessions.ts';
import { temporaryStore } from '../../../support/temporary-store.ts';
import type { TemporaryStore } from '../../../support/temporary-store.ts';
import { until } from '../../../support/until.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');
const sha256 = (bytes: string | Buffer): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const record = (seq: number): LogRecord => ({
  seq,
  time: '2030-01-01T00:00:00Z',
  type: 'output',
  text: `line ${seq}`,
});
const ndjson = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, i) => `${JSON.stringify(record(from + i))}\n`).join('');
const errorOf = ({ json }: Answer): string | undefined => (json as { error?: string } | undefined)?.error;

/** A token as Kubernetes makes them, but for the signature. */
function tokenOf(pod: Pod, more: { audience?: string; expiresAt?: number; salt?: string } = {}): string {
  const claims = {
    aud: [more.audience ?? 'ambient'],
    exp: (more.expiresAt ?? NOW + 3600_000) / 1000,
    jti: more.salt,
    'kubernetes.io': {
      namespace: pod.metadata.namespace,
      pod: { name: pod.metadata.name, uid: pod.metadata.uid },
      serviceaccount: { name: 'ambient-runner' },
    },
  };
  return `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;
}

/** Says yes to tokens it was told of. */
class TestReviewer {
  readonly owners = new Map<string, TokenOwner>();
  reviews = 0;
  isAway = false;

  grant(pod: Pod, token = tokenOf(pod), audience = 'ambient'): string {
    const { name, namespace, uid = '' } = pod.metadata;
    const prefix = 'authentication.kubernetes.io';
    this.owners.set(token, {
      authenticated: true,
      audiences: [audience],
      user: {
        username: `system:serviceaccount:${namespace}:ambient-runner`,
        extra: { [`${prefix}/pod-name`]: [name], [`${prefix}/pod-uid`]: [uid] },
      },
    });
    return token;
  }

  async tokenReview(token: string): Promise<TokenOwner> {
    this.reviews++;
    if (this.isAway) throw new AmbientError('unreachable', 'no API server');
    return this.owners.get(token) ?? { authenticated: false, error: 'bad signature' };
  }
}

/** A session with its Job and its running pod, owned as the operator and Kubernetes make them. */
function workload(session: Session): { job: Job; pod: Pod } {
  const { name, uid = '' } = session.metadata;
  const job = aJob(session);
  job.metadata.uid = `job-of-${uid}`;
  job.metadata.ownerReferences = [{ apiVersion: API_VERSION, kind: 'Session', name, uid, controller: true }];
  const pod = aPod(session).running().build();
  pod.metadata.uid = `pod-of-${uid}`;
  pod.metadata.ownerReferences = [
    { apiVersion: 'batch/v1', kind: 'Job', name: job.metadata.name, uid: job.metadata.uid, controller: true },
  ];
  return { job, pod };
}

describe('the door for runners', () => {
  let certificates: TestCertificates;
  let temporary: TemporaryStore;
  let sessions: KnownSessions;
  let reviewer: TestReviewer;
  let pods: Map<string, Pod>;
  let unwatchedPods: Map<string, Pod>;
  let jobs: Map<string, Job>;
  let session: Session;
  let pod: Pod;
  let token: string;
  let log: SessionLog;
  let artifacts: Artifacts;
  let reports: CostReport[];
  let asked: string[];
  let sources: Sources;
  let results: Results;
  let pushReports: PushReports;
  let door: Door;
  let port: number;
  let audit: CollectedAudit;
  let accesses: Accesses;
  let now: number;
  /** The watch tells of a pod. */
  let tell: (pod: Pod) => void;

  before(async () => {
    certificates = await TestCertificates.make();
  });

  beforeEach(async () => {
    now = NOW;
    reports = [];
    asked = [];
    temporary = await temporaryStore();
    audit = new CollectedAudit();
    const { store } = temporary;
    sessions = new KnownSessions();
    reviewer = new TestReviewer();
    [pods, unwatchedPods, jobs] = [new Map<string, Pod>(), new Map<string, Pod>(), new Map<string, Job>()];
    session = sessions.add(aSession().in('team-a').running().build());
    pod = start(session);
    token = reviewer.grant(pod);
    log = new SessionLog({ store, sessions, pollMs: 20, onError: assert.ifError });
    artifacts = new Artifacts(store);
    sources = new Sources({ store });
    results = new Results(store);
    const key = (namespace: string, name: string): string => `${namespace}/${name}`;
    const identityOptions: RunnerIdentityOptions = {
      reviewer,
      pods: {
        get: (namespace, name) => pods.get(key(namespace, name)),
        fetch: async (namespace, name) =>
          unwatchedPods.get(key(namespace, name)) ?? pods.get(key(namespace, name)),
      },
      jobs: { get: (namespace, name) => jobs.get(key(namespace, name)) },
      sessions,
      jobNameFor,
      now: () => new Date(now),
    };
    const identity = new RunnerIdentity(identityOptions);
    const pushing = new RunnerIdentity({
      ...identityOptions,
      audience: PUSH_TOKEN_AUDIENCE,
      step: PUSH_STEP,
      jobNameFor: ({ metadata }) => pushJobNameOf(metadata.uid ?? ''),
    });
    accesses = anAccesses(store, audit);
    const refusals = new RunnerRefusals({ identity, others: [pushing], accesses });
    pushReports = new PushReports(store);
    door = createRunnerServer({
      identity,
      runs: new Runs({
        get: (namespace, name) => pods.get(key(namespace, name)),
        fetch: async (namespace, name) => pods.get(key(namespace, name)),
        onChange: (listener) => {
          tell = listener;
          return { [Symbol.dispose]: () => undefined };
        },
      }),
      sessions,
      log,
      artifacts,
      sources,
      results,
      costs: { report: async (_, report) => void reports.push(report) },
      messages: {
        after: async (of, after) =>
          (of.status?.input?.messages ?? [])
            .filter(({ seq }) => seq > after)
            .map(({ seq, id, kind, by }) => ({ seq, id, kind, by, text: `text of ${seq}` })),
      },
      questions: {
        note: async (_, records) => void asked.push(...records.flatMap(({ question }) => question ?? [])),
      },
      refusals,
      push: new PushDoor({ identity: pushing, artifacts, reports: pushReports, refusals }),
      certificates,
      logger: pino({ level: 'silent' }),
      metrics: new Registry(),
    });
    port = await door.listen(0, '127.0.0.1');
  });
  afterEach(async () => {
    await door.close(100);
    accesses[Symbol.dispose]();
    await log.close();
    await temporary[Symbol.asyncDispose]();
  });

  const start = (of: Session): Pod => {
    const made = workload(of);
    jobs.set(`${of.metadata.namespace}/${made.job.metadata.name}`, made.job);
    pods.set(`${of.metadata.namespace}/${made.pod.metadata.name}`, made.pod);
    return made.pod;
  };
  const call = (
    method: string,
    path: string,
    options: AskOptions & { token?: string } = {},
  ): Promise<Answer> =>
    ask({ port, ca: certificates.ca }, path, {
      method,
      ...options,
      headers: { authorization: `Bearer ${options.token ?? token}`, ...options.headers },
    });
  const events = (body: string, options: { token?: string } = {}): Promise<Answer> =>
    call('POST', '/runner/v1/events', { body, ...options });
  const control = (options: { token?: string } = {}): Promise<Answer> =>
    call('GET', '/runner/v1/control', options);

  describe('lets in', () => {
    it('a pod of a session, and asks about its token once', async () => {
      for (let i = 0; i < 3; i++) assert.equal((await control()).status, 200);
      assert.equal(reviewer.reviews, 1);
      const salted = reviewer.grant(pod, tokenOf(pod, { salt: 'renewed' }));
      await Promise.all([control({ token: salted }), control({ token: salted }), control({ token: salted })]);
      assert.equal(reviewer.reviews, 2);
    });

    it('a pod that the watch has not told of yet', async () => {
      const key = `team-a/${pod.metadata.name}`;
      unwatchedPods.set(key, pod);
      pods.delete(key);
      assert.equal((await control()).status, 200);
    });

    it('a pod that is being deleted, for its last words', async () => {
      pod.metadata.deletionTimestamp = '2030-01-01T00:00:00Z';
      assert.equal((await events(ndjson(1, 1))).status, 200);
    });
  });

  describe('of a pod that is kept ready', () => {
    const run = { command: ['true'] };
    let kept: Pod;
    const waitForRun = (wait = 0): Promise<Answer> => call('GET', `/runner/v1/run?wait=${wait}`);

    beforeEach(() => {
      kept = structuredClone(pod);
      Object.assign(kept.metadata, { name: 'kept', uid: 'kept-uid' });
      kept.metadata.labels = { [LABEL_WARM]: 'digest', [LABEL_SESSION]: '', [LABEL_SESSION_UID]: '' };
      const job = structuredClone(jobs.get(`team-a/ambient-${session.metadata.uid}`));
      assert.ok(job);
      job.metadata.name = 'warm-job';
      jobs.set('team-a/warm-job', job);
      for (const owner of kept.metadata.ownerReferences ?? []) owner.name = 'warm-job';
      pods.set('team-a/kept', kept);
      token = reviewer.grant(kept);
    });

    const claim = (): void => {
      const { name, uid = '' } = session.metadata;
      const labels = { [LABEL_WARM]: 'digest', [LABEL_SESSION]: name, [LABEL_SESSION_UID]: uid };
      const annotations = { [ANNOTATION_RUN]: JSON.stringify(run) };
      kept = { ...kept, metadata: { ...kept.metadata, labels, annotations } };
      pods.set('team-a/kept', kept);
      tell(kept);
    };
    const choose = (): void => {
      sessions.status(session, {
        warmPod: { jobName: 'warm-job', podName: 'kept', claimedAt: '2030-01-01T00:00:00Z' },
        workload: { podName: 'kept' },
      });
    };

    it('the token opens nothing but its wait for a run', async () => {
      for (const [method, path] of [
        ['GET', 'control'],
        ['POST', 'events'],
        ['GET', 'source'],
        ['GET', 'resume/changes.patch'],
        ['PUT', 'artifacts/a.txt'],
        ['POST', 'result'],
      ] as const)
        assert.deepEqual([path, (await call(method, `/runner/v1/${path}`)).status], [path, 403]);
      const { status, json } = await waitForRun();
      assert.deepEqual([status, json], [200, {}]);
    });

    it('is told its run as soon as it is a session’s, and is the session’s from then on', async () => {
      const waiting = waitForRun(20);
      await until(() => reviewer.reviews === 1, 'it asks');
      choose();
      claim();
      assert.deepEqual((await waiting).json, { run });
      assert.deepEqual((await waitForRun()).json, { run }, 'also when the answer was lost');
      assert.equal((await control()).status, 200);
    });

    it('is refused when the session has not chosen it, whatever its labels say', async () => {
      claim();
      assert.equal((await waitForRun()).status, 403);
      assert.equal((await control()).status, 403);
    });

    it('is told nothing once it is being deleted: the session has another by then', async () => {
      choose();
      claim();
      kept.metadata.deletionTimestamp = '2030-01-01T00:00:00Z';
      assert.equal((await waitForRun()).status, 403);
    });
  });

  const recorded = (count: number): Promise<CollectedAudit['events']> =>
    until(() => (audit.events.length >= count ? audit.events : undefined), `${count} are on record`);

  describe('refuses', () => {
    it('who has no good token, without asking the API server about nonsense', async () => {
      const tokens = [
        '',
        'x',
        'a.b.c',
        tokenOf(pod, { audience: 'other' }),
        // the one that its command is given for models
        tokenOf(pod, { audience: MODELS_TOKEN_AUDIENCE }),
        tokenOf(pod, { expiresAt: NOW - 300_000 }),
      ];
      const stranger = structuredClone(pod);
      stranger.metadata.name = 'stranger';
      tokens.push(tokenOf(stranger));
      for (const each of tokens) assert.equal((await control({ token: each })).status, 401);
      assert.equal(
        (await call('GET', '/runner/v1/control', { headers: { authorization: 'Basic eDp5' } })).status,
        401,
      );
      await recorded(tokens.length + 1);
      // For the record, behind the answer: whether those that name a pod of ours are its own.
      assert.equal(reviewer.reviews, 3);
      const forged = tokenOf(pod, { salt: 'forged' });
      assert.equal((await control({ token: forged })).status, 401);
      await recorded(tokens.length + 2);
      assert.equal(reviewer.reviews, 4);
    });

    it('and has on record whom', async () => {
      assert.equal((await call('GET', '/runner/v1/control', { token: 'nonsense' })).status, 401);
      const stranger = aPod(aSession('x').build()).running().build();
      stranger.metadata.uid = 'nobody';
      await call('GET', '/runner/v1/control', { token: reviewer.grant(stranger) });
      assert.equal((await call('GET', '/runner/v1/control')).status, 200);
      const about = (await recorded(2)).map(({ namespace, actor, resource, outcome, details }) => [
        `${namespace} ${actor} ${resource} ${outcome}`,
        details?.['door'],
        details?.['claimed'],
      ]);
      const expected = 'ambient-system system:anonymous runner/control denied';
      // It may have been written by anybody.
      const claimed = { namespace: 'default', pod: stranger.metadata.name, serviceAccount: 'ambient-runner' };
      assert.deepEqual(about, [
        [expected, 'runners', undefined],
        [expected, 'runners', claimed],
      ]);
    });

    it('and has on record which pod of ours it was, in the records of its session', async () => {
      const models = reviewer.grant(
        pod,
        tokenOf(pod, { audience: MODELS_TOKEN_AUDIENCE }),
        MODELS_TOKEN_AUDIENCE,
      );
      const other = sessions.add(aSession('other').in('team-a').running().build());
      for (let i = 0; i < 30; i++) {
        assert.equal((await control({ token: models })).status, 401);
        assert.equal((await call('GET', `/runner/v1/sessions/${other.metadata.name}/events`)).status, 404);
      }
      assert.equal(reviewer.reviews, 2);
      await recorded(2);
      accesses[Symbol.dispose]();
      const { name, uid } = session.metadata;
      const of = (resource: string, details: object): object => ({
        namespace: 'team-a',
        sessionId: name,
        sessionUid: uid,
        actor: 'system:serviceaccount:team-a:ambient-runner',
        action: 'view',
        resource,
        outcome: 'denied',
        details: { door: 'runners', pod: pod.metadata.name, ...details },
      });
      const key = {
        code: 'unauthenticated',
        reason: 'the token is meant for somebody else',
      };
      const path = {
        path: '/runner/v1/sessions/other/events',
        code: 'not_found',
        reason: 'runners have no such path',
      };
      const found = audit.events.map(({ traceId: _, ...event }) => event);
      assert.deepEqual(
        found.toSorted((a, b) => a.resource.localeCompare(b.resource)),
        [
          of('runner/control', key),
          of('runner/control', { ...key, more: 29 }),
          of('runner/unknown', path),
          of('runner/unknown', { ...path, more: 29 }),
        ],
      );
    });

    it('paths that are not there only when it is known who asks', async () => {
      assert.equal((await call('GET', '/runner/v1/secrets', { token: 'nonsense' })).status, 401);
      const [event] = await recorded(1);
      assert.equal(event?.resource, 'runner/unknown');
    });

    it('a token once it has expired, although it was good', async () => {
      assert.equal((await control()).status, 200);
      now = NOW + 3600_001;
      // Where the clock here is ahead, the API server still knows it.
      assert.equal((await control()).status, 200);
      reviewer.owners.clear();
      assert.equal((await control()).status, 401);
      assert.equal(reviewer.reviews, 3);
      now = NOW + 3600_000 + 300_000;
      assert.equal((await control()).status, 401);
      assert.equal(reviewer.reviews, 3);
    });

    it('a token that has expired for the API server alone; one that was good is so until the clock here has it, too', async () => {
      // The clock here is five minutes behind.
      const realNow = NOW + 3600_000;
      now = realNow - 300_000;
      const expired = tokenOf(pod, { salt: 'expired' });
      for (const reviews of [1, 2]) {
        assert.equal((await control({ token: expired })).status, 401);
        assert.equal(reviewer.reviews, reviews);
      }
      // One that will have expired a second later; its pod runs still, which is asked each time.
      const ending = reviewer.grant(pod, tokenOf(pod, { salt: 'ending', expiresAt: realNow + 1000 }));
      assert.equal((await control({ token: ending })).status, 200);
      reviewer.owners.clear();
      now += 300_000;
      assert.equal((await control({ token: ending })).status, 200);
      now += 1000;
      assert.equal((await control({ token: ending })).status, 401);
      assert.equal(reviewer.reviews, 4);
    });

    it('a pod that has ended or is gone, although its token is remembered', async () => {
      assert.equal((await control()).status, 200);
      pods.set(`team-a/${pod.metadata.name}`, { ...pod, status: { phase: 'Succeeded' } });
      assert.equal((await control()).status, 403);
      pods.clear();
      assert.equal((await control()).status, 403);
      pods.set(`team-a/${pod.metadata.name}`, { ...pod, metadata: { ...pod.metadata, uid: 'another' } });
      assert.equal((await control()).status, 403);
    });

    it('a pod that wears the labels of a session without being its Job’s', async () => {
      const forgeries: [string, (forged: Pod) => void][] = [
        ['no owner', (forged) => delete forged.metadata.ownerReferences],
        [
          'not the controller',
          (forged) => forged.metadata.ownerReferences?.forEach((each) => delete each.controller),
        ],
        [
          'another Job',
          (forged) => forged.metadata.ownerReferences?.forEach((each) => (each.name = 'other')),
        ],
        [
          'a Job of that name once',
          (forged) => forged.metadata.ownerReferences?.forEach((each) => (each.uid = 'old')),
        ],
        [
          'another kind',
          (forged) => forged.metadata.ownerReferences?.forEach((each) => (each.kind = 'ReplicaSet')),
        ],
      ];
      for (const [what, forge] of forgeries) {
        const forged = structuredClone(pod);
        forge(forged);
        pods.set(`team-a/${pod.metadata.name}`, forged);
        assert.deepEqual([what, (await control()).status], [what, 403]);
      }
    });

    it('a pod whose Job belongs to somebody else', async () => {
      const job = jobs.get(`team-a/ambient-${session.metadata.uid}`);
      assert.ok(job?.metadata.ownerReferences?.[0]);
      job.metadata.ownerReferences[0].uid = 'another-session';
      assert.equal((await control()).status, 403);
      jobs.clear();
      // The watch of Jobs may be behind: the runner tries again.
      assert.equal((await control()).status, 503);
    });

    it('a second pod of a session that runs in another one', async () => {
      sessions.status(session, { workload: { podName: 'the-real-one' } });
      assert.equal((await control()).status, 403);
    });

    it('a pod of a session that was deleted and made anew', async () => {
      sessions.add({ ...session, metadata: { ...session.metadata, uid: 'new' } });
      assert.equal((await control()).status, 403);
      sessions.remove(session);
      assert.equal((await control()).status, 403);
    });

    it('nobody for good while the API server is away', async () => {
      reviewer.isAway = true;
      assert.equal((await control()).status, 503);
      reviewer.isAway = false;
      assert.equal((await control()).status, 200);
    });
  });

  describe('of the pod that pushes', () => {
    const TRIED = [
      ['GET', '/runner/v1/push/changes.patch', ''],
      ['POST', '/runner/v1/push/report', JSON.stringify({ state: 'unchanged' })],
      ['GET', '/runner/v1/push/', ''],
      ['GET', '/runner/v1/push/log', ''],
    ] as const;
    const RUN = [
      ['GET', '/runner/v1/control', ''],
      ['GET', '/runner/v1/run', ''],
      ['GET', '/runner/v1/source', ''],
      ['GET', '/runner/v1/resume/log', ''],
      ['POST', '/runner/v1/events', ndjson(1, 1)],
      ['PUT', '/runner/v1/artifacts/changes.patch', 'another patch'],
      ['POST', '/runner/v1/result', '{}'],
    ] as const;
    let pushPod: Pod;

    beforeEach(async () => {
      await artifacts.put(session, { path: 'changes.patch' }, Readable.from(['a patch']));
      const made = workload(session);
      Object.assign(made.job.metadata, { name: pushJobNameOf(session.metadata.uid ?? ''), uid: 'push-job' });
      jobs.set(`team-a/${made.job.metadata.name}`, made.job);
      pushPod = made.pod;
      Object.assign(pushPod.metadata, { name: 'pusher', uid: 'pusher-uid' });
      pushPod.metadata.labels = { ...pushPod.metadata.labels, [LABEL_STEP]: PUSH_STEP };
      for (const owner of pushPod.metadata.ownerReferences ?? [])
        Object.assign(owner, { name: made.job.metadata.name, uid: 'push-job' });
      pods.set('team-a/pusher', pushPod);
    });

    const granted = (to: Pod, audience: string): string =>
      reviewer.grant(to, tokenOf(to, { audience }), audience);
    const tried = async (
      paths: readonly (readonly [string, string, string])[],
      with_: string,
    ): Promise<number[]> => {
      const found: number[] = [];
      for (const [method, path, body] of paths)
        found.push((await call(method, path, { token: with_, ...(body === '' ? {} : { body }) })).status);
      return found;
    };
    const untouched = async (): Promise<void> => {
      assert.equal(await pushReports.get(session), undefined);
      assert.equal(await text((await artifacts.get(session, 'changes.patch')).body), 'a patch');
      assert.equal(await results.get(session), undefined);
    };

    it('the token opens its two paths', async () => {
      const pushing = granted(pushPod, PUSH_TOKEN_AUDIENCE);
      assert.deepEqual(await tried(TRIED, pushing), [200, 204, 404, 404]);
      assert.deepEqual(await pushReports.get(session), { state: 'unchanged' });
    });

    it('the paths are closed to agents and their runners, and that is on record', async () => {
      assert.equal((await control()).status, 200);
      assert.deepEqual(await tried(TRIED, token), [401, 401, 401, 401]);
      const models = granted(pod, MODELS_TOKEN_AUDIENCE);
      assert.deepEqual(await tried(TRIED, models), [401, 401, 401, 401]);
      // Should anybody make them one for these paths, it is still the wrong pod.
      const another = granted(pod, PUSH_TOKEN_AUDIENCE);
      assert.deepEqual(await tried(TRIED, another), [403, 403, 403, 403]);
      const labelled = { ...pod.metadata, labels: { ...pod.metadata.labels, [LABEL_STEP]: PUSH_STEP } };
      pods.set(`team-a/${pod.metadata.name}`, { ...pod, metadata: labelled });
      assert.deepEqual(await tried(TRIED, another), [403, 403, 403, 403]);
      await untouched();
      const { name, uid } = session.metadata;
      const [event] = await recorded(1);
      assert.deepEqual(
        [event?.sessionId, event?.sessionUid, event?.resource, event?.outcome, event?.details?.['pod']],
        [name, uid, 'runner/push', 'denied', pod.metadata.name],
      );
    });

    it('the paths of a run are closed to it, and that is on record', async () => {
      const refused = RUN.map(() => 401);
      assert.deepEqual(await tried(RUN, granted(pushPod, PUSH_TOKEN_AUDIENCE)), refused);
      const [event] = await recorded(1);
      assert.deepEqual(
        [event?.sessionId, event?.resource, event?.details?.['pod']],
        [session.metadata.name, 'runner/control', 'pusher'],
      );
      const another = await tried(RUN, granted(pushPod, TOKEN_AUDIENCE));
      assert.deepEqual(
        another,
        RUN.map(() => 403),
      );
      await untouched();
      let lines = 0;
      for await (const page of log.read(session, 0)) lines += page.lines.length;
      assert.equal(lines, 0);
    });
  });

  it('leads each token to its own session', async () => {
    const other = sessions.add(aSession('s2').in('team-b').running().build());
    const otherToken = reviewer.grant(start(other));
    await events(ndjson(1, 2));
    await events(ndjson(1, 5), { token: otherToken });
    assert.deepEqual((await events('')).json, { acknowledged: 2 });
    assert.deepEqual((await events('', { token: otherToken })).json, { acknowledged: 5 });
  });

  describe('events', () => {
    it('are acknowledged when stored, resent without harm, and not taken with a gap', async () => {
      assert.deepEqual((await events(ndjson(1, 3))).json, { acknowledged: 3 });
      assert.deepEqual((await events(ndjson(2, 4))).json, { acknowledged: 4 });
      const gap = await events(ndjson(9, 9));
      assert.equal(gap.status, 409);
      const { acknowledged, error } = gap.json as { acknowledged: number; error: string };
      assert.deepEqual([acknowledged, error], [4, 'conflict']);
      const seen: string[] = [];
      for await (const { lines } of log.read(session, 0)) seen.push(...lines);
      assert.equal(`${seen.join('\n')}\n`, ndjson(1, 4));
    });

    it('are refused when they are none, too many at once, or too late', async () => {
      const bad = await events('{"seq":0}');
      assert.deepEqual([bad.status, errorOf(bad)], [400, 'invalid_request']);
      assert.match((bad.json as { traceId: string }).traceId, /^[0-9a-f]{32}$/);
      assert.equal(
        (await call('POST', '/runner/v1/events', { body: Buffer.from([0x22, 0xff]) })).status,
        400,
      );
      assert.equal((await events('x'.repeat(EVENTS_BYTES_MAX + 1))).status, 413);
      sessions.status(session, { phase: 'Failed' });
      const late = await events(ndjson(1, 1));
      assert.deepEqual([late.status, errorOf(late)], [409, 'already_finished']);
    });
  });

  describe('control', () => {
    it('tells of a stop at once, also to one who waits', async () => {
      assert.deepEqual((await control()).json, {});
      const waiting = call('GET', '/runner/v1/control?wait=30');
      await until(() => sessions.listeners > 0, 'the runner waits');
      sessions.status(session, { message: 'something else' });
      sessions.status(session, aSession().stopRequested('ann', 5).build().status ?? {});
      assert.deepEqual((await waiting).json, { stop: { requestedBy: 'ann', gracePeriodSeconds: 5 } });
      assert.deepEqual((await call('GET', '/runner/v1/control?wait=30')).json, {
        stop: { requestedBy: 'ann', gracePeriodSeconds: 5 },
      });
      assert.equal(sessions.listeners, 0);
    });

    it('hands out what was said after the message that the runner has, also to one who waits', async () => {
      const claim = (seq: number) =>
        ({
          seq,
          id: `m${seq}`,
          kind: 'message',
          by: 'ann',
          at: '2030-01-01T00:00:00Z',
          digest: 'x',
        }) as const;
      const said = (seq: number) => ({
        seq,
        id: `m${seq}`,
        kind: 'message',
        by: 'ann',
        text: `text of ${seq}`,
      });
      sessions.status(session, { input: { messages: [claim(1), claim(2)] } });
      assert.deepEqual((await call('GET', '/runner/v1/control?wait=30&after=1')).json, {
        messages: [said(2)],
      });
      // A runner that takes none is not told.
      assert.deepEqual((await call('GET', '/runner/v1/control?wait=1')).json, {});
      const waiting = call('GET', '/runner/v1/control?wait=30&after=2');
      await until(() => sessions.listeners > 0, 'the runner waits');
      sessions.status(session, { input: { messages: [claim(1), claim(2), claim(3)] } });
      assert.deepEqual((await waiting).json, { messages: [said(3)] });
      assert.equal((await call('GET', '/runner/v1/control?after=x')).status, 400);
    });

    it('tells a runner that asks whether the session waits for money, at once when that has changed', async () => {
      const paused = (status: 'True' | 'False'): Session =>
        sessions.status(session, {
          conditions: [{ type: 'BudgetPaused', status, reason: 'x', message: '', lastTransitionTime: '' }],
        });
      assert.deepEqual((await call('GET', '/runner/v1/control?paused=false')).json, { paused: false });
      const waiting = call('GET', '/runner/v1/control?wait=30&paused=false');
      await until(() => sessions.listeners > 0, 'the runner waits');
      paused('True');
      assert.deepEqual((await waiting).json, { paused: true });
      const held = call('GET', '/runner/v1/control?wait=30&paused=true');
      await until(() => sessions.listeners > 0, 'the runner waits');
      paused('False');
      assert.deepEqual((await held).json, { paused: false });
      paused('True');
      assert.deepEqual((await control()).json, {});
    });

    it('answers when the time is over, and when the server closes', async () => {
      const started = performance.now();
      assert.deepEqual((await call('GET', '/runner/v1/control?wait=1')).json, {});
      assert.ok(performance.now() - started > 900);
      const waiting = call('GET', '/runner/v1/control?wait=30');
      await until(() => sessions.listeners > 0, 'the runner waits');
      const closing = door.close(1000);
      assert.deepEqual((await waiting).json, {});
      await closing;
    });
  });

  describe('resume', () => {
    it('gives a session what the one before it left, and nothing else', async () => {
      assert.equal((await call('GET', '/runner/v1/resume/log')).status, 404);
      const resume = { session: 'old', uid: 'uid-of-old', source: 'uid-of-old' };
      const old = aSession('old').in('team-a').running().build();
      await log.append(old, [{ seq: 1, line: JSON.stringify(record(1)) }]);
      await artifacts.put(old, { path: 'changes.patch' }, Readable.from(['a patch']));
      await artifacts.put(old, { path: 'secret.txt' }, Readable.from(['a secret']));
      await artifacts.put(old, { path: '.ambient/memory.tar.gz' }, Readable.from(['a memory']));
      sessions.add({ ...session, spec: { ...session.spec, resume } });
      assert.equal((await call('GET', '/runner/v1/resume/changes.patch')).text, 'a patch');
      assert.equal((await call('GET', '/runner/v1/resume/memory')).text, 'a memory');
      assert.equal((await call('GET', '/runner/v1/resume/log')).text, `${JSON.stringify(record(1))}\n`);
      for (const path of [
        'secret.txt',
        'changes.patch/x',
        '..%2Fartifacts%2Fsecret.txt',
        '.ambient/memory.tar.gz',
      ])
        assert.ok((await call('GET', `/runner/v1/resume/${path}`)).status >= 400, path);
      assert.equal((await call('GET', '/runner/v1/resume')).status, 404);
    });
  });

  describe('artifacts', () => {
    const put = (
      path: string,
      body: Buffer | Readable,
      headers: Record<string, string> = {},
    ): Promise<Answer> => call('PUT', `/runner/v1/artifacts/${path}`, { body, headers });

    it('are stored with type, digest and content type', async () => {
      const bytes = randomBytes(300_000);
      const answer = await put('a/%C3%BC%20%25%3F%23.bin', Readable.from([bytes]), {
        'content-type': 'application/x-test',
        'x-ambient-digest': sha256(bytes),
        'x-ambient-type': 'intermediate',
      });
      assert.equal(answer.status, 201);
      const { path, type, size, contentType } = await artifacts.describe(session, 'a/ü %?#.bin');
      assert.deepEqual(
        [path, type, size, contentType],
        ['a/ü %?#.bin', 'intermediate', 300_000, 'application/x-test'],
      );
      assert.equal((await put('empty', Buffer.alloc(0))).status, 201);
      assert.equal((await put('empty', Buffer.from('replaced'))).status, 201);
      assert.equal((await artifacts.describe(session, 'empty')).size, 8);
    });

    for (const path of ['../x', '%2e%2e/x', 'a%2Fb', 'a/../../x', 'a//b', 'a/', '%00', '.']) {
      it(`are refused outside: ${path}`, async () => {
        const answer = await put(path, Buffer.from('x'));
        assert.deepEqual([answer.status, errorOf(answer)], [400, 'unsafe_path']);
      });
    }

    it('are refused with another digest, another type, or after the end', async () => {
      const wrong = await put('a', Buffer.from('x'), { 'x-ambient-digest': sha256('y') });
      assert.deepEqual([wrong.status, errorOf(wrong)], [422, 'digest_mismatch']);
      assert.equal((await put('a', Buffer.from('x'), { 'x-ambient-type': 'virus' })).status, 400);
      sessions.status(session, { phase: 'Completed' });
      assert.equal(errorOf(await put('a', Buffer.from('x'))), 'already_finished');
    });

    it('say so when the store is full, to a sender who is still sending', async () => {
      const { store } = temporary;
      store.put = async () => {
        throw new AmbientError('storage_full', 'the artifact store is full');
      };
      const answer = await put('a', Buffer.alloc(9_000_000));
      assert.deepEqual([answer.status, errorOf(answer)], [507, 'storage_full']);
    });
  });

  it('hands out the uploaded source, also in ranges', async () => {
    const archive = randomBytes(100_000);
    assert.equal((await call('GET', '/runner/v1/source')).status, 404);
    const upload = { sizeBytes: archive.length, digest: sha256(archive) };
    session = sessions.add({ ...session, spec: { ...session.spec, source: { type: 'upload', upload } } });
    await sources.append(session, 0, Readable.from([archive]));
    const whole = await call('GET', '/runner/v1/source');
    assert.ok(whole.bytes.equals(archive));
    const part = await call('GET', '/runner/v1/source', { headers: { range: 'bytes=99990-' } });
    assert.deepEqual([part.status, part.bytes.equals(archive.subarray(99_990))], [206, true]);
  });

  it('takes one result', async () => {
    const post = (body: object): Promise<Answer> =>
      call('POST', '/runner/v1/result', { body: JSON.stringify(body) });
    assert.equal((await post({ outcome: 'Perfect' })).status, 400);
    assert.equal((await post(aResult('Succeeded'))).status, 204);
    assert.equal((await post(aResult('Succeeded'))).status, 204);
    assert.equal((await post(aResult('Stopped'))).status, 409);
    assert.deepEqual(await results.get(session), aResult('Succeeded'));
  });

  it('has no other paths and methods', async () => {
    for (const [method, path, status] of [
      ['GET', '/', 404],
      ['GET', '/runner/v1', 404],
      ['GET', '/runner/v1/artifacts', 404],
      ['GET', '/runner/v1/artifacts/a', 400],
      ['POST', '/runner/v1/events/x', 404],
      ['POST', '/runner/v2/events', 404],
      ['DELETE', '/runner/v1/events', 400],
      ['GET', '/runner/v1/toString', 404],
    ] as const) {
      assert.equal((await call(method, path)).status, status, `${method} ${path}`);
    }
  });

  it('stores what comes over the network byte for byte', async () => {
    const bytes = randomBytes(2_000_000);
    await call('PUT', '/runner/v1/artifacts/x', { body: bytes });
    const { body } = await artifacts.get(session, 'x');
    assert.equal(sha256(Buffer.from(await text(body.setEncoding('latin1')), 'latin1')), sha256(bytes));
  });

  it('counts what usage records cost, with the numbers that make counting it once possible', async () => {
    const usage = (seq: number, costUsd: unknown): string =>
      JSON.stringify({
        seq,
        time: '2030-01-01T00:00:00Z',
        type: 'usage',
        text: '',
        data: { costUsd, model: 'opus' },
      });
    const body = `${ndjson(1, 2)}${usage(3, '0.25')}\n${usage(4, -5)}\n`;
    const answer = await events(body);
    assert.deepEqual(answer.json, { acknowledged: 4 });
    assert.deepEqual(reports, [
      { source: 'runner', after: 0, seq: 4, charges: [{ seq: 3, key: 'opus', amount: 250_000_000n }] },
    ]);
  });
});
