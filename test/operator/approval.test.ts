/** Sessions that somebody must approve, as those who launch, approve and reject them meet them: through a real API server. */
import assert from 'node:assert/strict';
import { livePaths } from '../../common/api/live.ts';
import type { ApprovalDecision } from '../../common/api/live.ts';
import type { NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import { OPERATOR_ACTOR, OPERATOR_NAMESPACE, POLICY_NAME } from '../../common/api/names.ts';
import type { Session, SessionSpec } from '../../common/api/session.ts';
import type { RequestOptions } from '../../common/kube/connection.ts';
import { KubeError } from '../../common/kube/errors.ts';
import { frameworks, namespacePolicies, resourcePath, sessions } from '../../common/kube/resource.ts';
import { operatorUser } from '../../common/rules/approval.ts';
import { findCondition } from '../../common/rules/conditions.ts';
import { recordedIn } from '../support/audit.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { aFramework, aPolicy, aSession } from '../support/fixtures.ts';
import { rightsAreKnown } from '../support/known-rights.ts';
import { liveApiAvailable, runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { current, endOf, finished, inPhase, stopSession, workloadOf } from '../support/sessions.ts';
import { skipBecause } from '../support/skip.ts';
import { until } from '../support/until.ts';

type Approval = NonNullable<NamespacePolicySpec['approval']>;

/** Roles in every namespace of these tests. What the policy then says is another matter. */
const BINDINGS: Record<string, { clusterRole: string; users?: string[]; groups?: string[] }> = {
  editors: { clusterRole: 'ambient-editor', users: ['ann', operatorUser(OPERATOR_NAMESPACE)] },
  approvers: { clusterRole: 'ambient-approver', users: ['ann', 'bob', 'eve'], groups: ['leads'] },
  viewers: { clusterRole: 'ambient-viewer', users: ['vera'] },
};

describe('approval', function () {
  this.timeout(60_000);
  let cluster: TestCluster;
  let operator: OperatorProcess;
  let framework: string;
  const cleanup = new AsyncDisposableStack();

  before(async function () {
    this.timeout(300_000);
    cluster = await testCluster(this);
    if (cluster.nodeHostAddress.startsWith('127.'))
      skipBecause(this, 'this cluster has no node, hence no address by which its API server could call us');
    framework = `approval-${Date.now()}`;
    // Whether a Job is made is all that counts here; its pod never finds an image.
    const versions = [{ name: '1', image: 'registry.invalid/none:1', imagePullPolicy: 'Never' as const }];
    await cluster.client.create(frameworks, aFramework(framework, { versions }));
    cleanup.defer(() => cluster.client.delete(frameworks, { name: framework }));
    operator = cleanup.use(await runOperatorProcess(cluster));
    await liveApiAvailable(cluster);
  });
  after(async function () {
    this.timeout(60_000);
    await cleanup.disposeAsync();
  });

  /** `eve NotAnApprover denied`, `bob allowed`: who decided, or was not let. */
  const decisionsOnRecord = async ({ metadata }: Session): Promise<string[]> =>
    (await recordedIn(operator.storeDir, metadata.namespace ?? ''))
      .filter(
        ({ resource, sessionUid }) =>
          /^sessions\/(approve|reject)$/.test(resource) && sessionUid === metadata.uid,
      )
      .map(({ actor, details, outcome }) => {
        const why = details?.['refused'];
        return `${actor} ${typeof why === 'string' ? `${why} ` : ''}${outcome}`;
      });

  const setPolicy = (namespace: string, approval: Approval): Promise<unknown> =>
    cluster.client.apply(
      namespacePolicies,
      { ...aPolicy(namespace, { approval }), metadata: { name: POLICY_NAME, namespace } },
      { fieldManager: 'test', force: true },
    );

  /** A namespace with this policy, or none, and the roles of these tests. */
  async function aTenant(approval?: Approval): Promise<string> {
    const namespace = await cluster.namespace('approval');
    if (approval !== undefined) await setPolicy(namespace, approval);
    const apiGroup = 'rbac.authorization.k8s.io';
    const items = Object.entries(BINDINGS).map(([name, { clusterRole, users = [], groups = [] }]) => ({
      apiVersion: `${apiGroup}/v1`,
      kind: 'RoleBinding',
      metadata: { name, namespace },
      roleRef: { apiGroup, kind: 'ClusterRole', name: clusterRole },
      subjects: [
        ...users.map((user) => ({ apiGroup, kind: 'User', name: user })),
        ...groups.map((group) => ({ apiGroup, kind: 'Group', name: group })),
      ],
    }));
    await cluster.kubectl(['apply', '-f', '-'], {
      input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
    });
    // Of the last of them.
    await rightsAreKnown(cluster, 'vera', namespace);
    return namespace;
  }

  const as = (user: string, options: RequestOptions, group?: string): RequestOptions => ({
    ...options,
    headers: {
      'impersonate-user': user,
      ...(group === undefined ? {} : { 'impersonate-group': group }),
      ...options.headers,
    },
  });
  let made = 0;
  const launchAs = (user: string, namespace: string, spec: Partial<SessionSpec> = {}): Promise<Session> => {
    const builder = aSession(`s${++made}`).in(namespace).of(framework, { command: 'true' });
    const object = builder.spec({ createdBy: { user }, ...spec }).toCreate();
    return cluster.client.connection.json<Session>(
      resourcePath(sessions, { namespace }),
      as(user, { method: 'POST', body: object }),
    );
  };
  const decide = (
    verb: 'approve' | 'reject',
    { metadata }: Session,
    user: string,
    body: object = {},
    group?: string,
  ): Promise<ApprovalDecision> =>
    cluster.client.connection.json(
      livePaths[verb](metadata.namespace ?? '', metadata.name),
      as(user, { method: 'POST', body }, group),
    );
  const refused = (work: Promise<unknown>, status: number, code: string | undefined, message: RegExp) =>
    assert.rejects(work, (error: unknown) => {
      assert.ok(error instanceof KubeError, String(error));
      assert.deepEqual([error.status, error.causeCode], [status, code], error.message);
      assert.match(error.message, message);
      return true;
    });

  const tolerate = (error: unknown, status: number): undefined => {
    if (!(error instanceof KubeError) || error.status !== status) throw error;
  };

  const approvedReason = ({ status }: Session): string | undefined =>
    findCondition(status?.conditions, 'Approved')?.reason;
  const waiting = (session: Session): Promise<Session> =>
    inPhase(cluster.client, session, (each) => approvedReason(each) === 'AwaitingApproval', 'it waits');
  const started = (session: Session): Promise<Session> =>
    inPhase(cluster.client, session, ({ status }) => status?.workload?.jobName !== undefined, 'it has a Job');
  const eventsOf = ({ status }: Session) => status?.history?.map(({ event, actor }) => `${event} ${actor}`);
  const jobsOf = async (session: Session): Promise<number> =>
    (await workloadOf(cluster.client, session)).jobs.length;

  it('holds a session until an approver says yes, and tells who, when and why', async () => {
    const namespace = await aTenant({ required: true, approvers: ['bob'] });
    const session = await waiting(await launchAs('ann', namespace));
    assert.equal(session.status?.phase, 'Pending');
    assert.match(session.status?.message ?? '', /^Waiting for approval by bob\./);
    assert.equal(findCondition(session.status?.conditions, 'Approved')?.status, 'False');
    assert.equal(await jobsOf(session), 0);

    const answer = await decide('approve', session, 'bob', { reason: 'needed for the release' });
    assert.deepEqual(
      [answer.decision, answer.by, answer.reason],
      ['Approved', 'bob', 'needed for the release'],
    );
    const running = await started(session);
    assert.equal(await jobsOf(session), 1);
    assert.deepEqual(running.status?.approval, {
      decision: 'Approved',
      by: 'bob',
      at: answer.at,
      reason: 'needed for the release',
    });
    assert.equal(approvedReason(running), 'Approved');
    assert.deepEqual(eventsOf(running), [
      `Created ${OPERATOR_ACTOR}`,
      `ApprovalRequested ${OPERATOR_ACTOR}`,
      'Approved bob',
    ]);
    assert.deepEqual(running.status?.history?.[2]?.data, { reason: 'needed for the release' });
    assert.deepEqual(await decisionsOnRecord(session), ['bob allowed']);
  });

  it('ends a session that is rejected, with the reason, which is required', async () => {
    const session = await waiting(await launchAs('ann', await aTenant({ required: true })));
    await refused(decide('reject', session, 'bob'), 400, 'invalid_request', /reason/);
    await decide('reject', session, 'bob', { reason: 'use the nightly run' });
    const ended = await finished(cluster.client, session);
    assert.equal(endOf(ended), 'Failed/Rejected');
    assert.equal(ended.status?.message, 'Rejected by bob: use the nightly run.');
    assert.equal(await jobsOf(session), 0);
    assert.deepEqual(eventsOf(ended)?.slice(2), ['Rejected bob', `Failed ${OPERATOR_ACTOR}`]);
    await refused(decide('approve', session, 'bob'), 409, 'conflict', /rejected by bob at 20/);
  });

  it('is not for the one who launched it, unless the policy says so', async () => {
    const namespace = await aTenant({ required: true });
    const session = await waiting(await launchAs('ann', namespace));
    await refused(decide('approve', session, 'ann'), 403, 'approval_forbidden', /ann launched this session/);
    await refused(
      decide('reject', session, 'ann', { reason: 'oops' }),
      403,
      'approval_forbidden',
      /can stop it/,
    );
    assert.equal(await jobsOf(session), 0);
    await setPolicy(namespace, { required: true, allowSelfApproval: true });
    // The door learns of the new policy by its watch.
    const answer = await until(
      () => decide('approve', session, 'ann').catch((error: unknown) => tolerate(error, 403)),
      'the policy lets her',
    );
    assert.equal(answer.by, 'ann');
    await started(session);
  });

  it('is for those whom the policy names alone, whatever their role', async () => {
    const session = await waiting(
      await launchAs('ann', await aTenant({ required: true, approvers: ['leads', 'carl'] })),
    );
    await refused(
      decide('approve', session, 'vera'),
      403,
      undefined,
      /cannot create resource "sessions\/approve"/,
    );
    await refused(
      decide('approve', session, 'carl'),
      403,
      undefined,
      /cannot create resource "sessions\/approve"/,
    );
    await refused(
      decide('approve', session, 'bob'),
      403,
      'approval_forbidden',
      /Only the approvers .*leads, carl/,
    );
    await refused(
      decide('reject', session, 'eve', { reason: 'no' }),
      403,
      'approval_forbidden',
      /leads, carl/,
    );
    assert.equal((await current(session, cluster.client)).status?.approval, undefined);
    const denied = await decisionsOnRecord(session);
    assert.ok(
      denied.length > 0 && denied.every((line) => line.endsWith(' NotAnApprover denied')),
      String(denied),
    );
    assert.equal((await decide('approve', session, 'zoe', {}, 'leads')).by, 'zoe');
    await started(session);
  });

  const spending = (budget: string): Partial<SessionSpec> => ({ policy: { modelConstraints: { budget } } });

  it('is given by the policy itself to what it trusts, in writing', async () => {
    const namespace = await aTenant({
      required: true,
      autoApprove: { triggers: ['manual', 'github'], budget: '2.00' },
    });
    const session = await started(await launchAs('ann', namespace, spending('1.50')));
    assert.equal(approvedReason(session), 'AutoApproved');
    assert.deepEqual(
      [session.status?.approval?.decision, session.status?.approval?.by],
      ['Approved', OPERATOR_ACTOR],
    );
    assert.match(
      session.status?.approval?.reason ?? '',
      /trigger manual, and a budget of 1\.50 USD, at most 2\.00/,
    );
    assert.deepEqual(eventsOf(session)?.slice(0, 2), [
      `Created ${OPERATOR_ACTOR}`,
      `Approved ${OPERATOR_ACTOR}`,
    ]);

    for (const spec of [spending('2.01'), {}, { ...spending('1.00'), trigger: { source: 'jira' as const } }])
      await waiting(await launchAs('ann', namespace, spec));
  });

  it('is not had by claiming a trigger; only the operator passes one on', async () => {
    const namespace = await aTenant({ required: true, autoApprove: { triggers: ['github'] } });
    const trigger = { source: 'github' as const };
    await waiting(await launchAs('ann', namespace, { trigger }));
    const session = await started(await launchAs(operatorUser(OPERATOR_NAMESPACE), namespace, { trigger }));
    assert.equal(approvedReason(session), 'AutoApproved');
  });

  it('is waited for at the wish of the session alone', async () => {
    const namespace = await aTenant();
    const plain = await started(await launchAs('ann', namespace));
    assert.equal(approvedReason(plain), 'NotRequired');
    const careful = await waiting(await launchAs('ann', namespace, { policy: { approvalRequired: true } }));
    assert.match(careful.status?.message ?? '', /The session itself asks for it/);
    await decide('approve', careful, 'bob');
    await started(careful);
    await refused(decide('approve', plain, 'bob'), 409, 'conflict', /waits for no approval/);
  });

  it('is decided once: the first word stands', async () => {
    const namespace = await aTenant({ required: true });
    const session = await waiting(await launchAs('ann', namespace));
    const first = await decide('approve', session, 'bob');
    assert.deepEqual(await decide('approve', session, 'bob'), first);
    await refused(
      decide('approve', session, 'eve'),
      409,
      'conflict',
      new RegExp(`approved by bob at ${first.at}`),
    );
    await refused(
      decide('reject', session, 'eve', { reason: 'no' }),
      409,
      'conflict',
      /the first decision stands/,
    );

    const contested = await waiting(await launchAs('ann', namespace));
    const results = await Promise.allSettled([
      decide('approve', contested, 'bob'),
      decide('reject', contested, 'eve', { reason: 'no' }),
      decide('approve', contested, 'zoe', {}, 'leads'),
      decide('reject', contested, 'yan', { reason: 'no' }, 'leads'),
    ]);
    const won = results.filter(({ status }) => status === 'fulfilled');
    assert.equal(won.length, 1, JSON.stringify(results));
    const { status } = await current(contested, cluster.client);
    assert.equal(status?.history?.filter(({ event }) => ['Approved', 'Rejected'].includes(event)).length, 1);
  });

  it('is no longer waited for when the policy stops asking, or goes away', async () => {
    const [changed, deleted] = await Promise.all([aTenant({ required: true }), aTenant({ required: true })]);
    const sessionOf = async (namespace: string) => waiting(await launchAs('ann', namespace));
    const [first, second] = await Promise.all([sessionOf(changed), sessionOf(deleted)]);
    await setPolicy(changed, { required: true, approvers: ['carl'] });
    await inPhase(
      cluster.client,
      first,
      ({ status }) => /approval by carl/.test(status?.message ?? ''),
      'it tells of the new approver',
    );
    await setPolicy(changed, { required: false });
    await cluster.client.delete(namespacePolicies, { namespace: deleted, name: POLICY_NAME });
    for (const session of [first, second]) {
      const running = await started(session);
      assert.equal(approvedReason(running), 'NotRequired');
      assert.deepEqual(
        running.status?.history?.map(({ event }) => event),
        ['Created', 'ApprovalRequested', 'ApprovalWaived'],
      );
    }
  });

  it('leaves a session that waits to be stopped', async () => {
    const session = await waiting(await launchAs('ann', await aTenant({ required: true })));
    await stopSession(cluster.client, session, { reason: 'not needed any more' });
    const ended = await finished(cluster.client, session);
    assert.equal(endOf(ended), 'Failed/Stopped');
    assert.equal(await jobsOf(session), 0);
    await refused(decide('approve', session, 'bob'), 409, 'already_finished', /is Failed/);
  });

  it('outlasts the operator: what waits goes on waiting, and nothing is decided while it is away', async function () {
    this.timeout(90_000);
    const session = await waiting(await launchAs('ann', await aTenant({ required: true })));
    const { ports, storeDir } = operator;
    await operator.kill();
    await assert.rejects(decide('approve', session, 'bob'), (error: unknown) => {
      assert.ok(error instanceof KubeError && error.status === 503, String(error));
      return true;
    });
    operator = cleanup.use(await runOperatorProcess(cluster, { ports, storeDir }));
    await liveApiAvailable(cluster);
    const still = await current(session, cluster.client);
    assert.equal(approvedReason(still), 'AwaitingApproval');
    assert.equal(still.status?.history?.length, 2, 'asked once');
    assert.equal((await decide('approve', session, 'bob')).by, 'bob');
    await started(session);
  });
});
