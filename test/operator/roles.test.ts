/** Every verb of every kind and subresource, as every role, in one's own and another's namespace: what the API server says. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { livePaths } from '../../common/api/live.ts';
import { API_VERSION, GROUP, LIVE_GROUP } from '../../common/api/names.ts';
import type { Subject } from '../../common/kube/access.ts';
import type { RequestOptions } from '../../common/kube/connection.ts';
import { KubeError } from '../../common/kube/errors.ts';
import { namespacePolicies, resourcePath, sessions, sessionTriggers } from '../../common/kube/resource.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { manifests } from '../support/deploy.ts';
import { aPolicy, aSession } from '../support/fixtures.ts';
import { liveApiAvailable, runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { until } from '../support/until.ts';

const BOUND = [
  'ambient-viewer',
  'ambient-editor',
  'ambient-approver',
  'ambient-admin',
  'view',
  'edit',
  'admin',
] as const;
const ROLES = [...BOUND, 'nobody', 'anonymous'] as const;
type Role = (typeof ROLES)[number];
const VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'] as const;
type Verb = (typeof VERBS)[number];

const ALL: readonly Role[] = BOUND;
const EDITORS: readonly Role[] = ['ambient-editor', 'ambient-admin', 'edit', 'admin'];
const APPROVERS: readonly Role[] = ['ambient-approver', 'ambient-admin', 'admin'];
const ADMINS: readonly Role[] = ['ambient-admin', 'admin'];
/** Who is logged in; frameworks are no namespace's. */
const EVERYBODY: readonly Role[] = [...BOUND, 'nobody'];

/** Who may; what is not listed nobody may. */
const EXPECTED: Record<string, Partial<Record<Verb, readonly Role[]>>> = {
  [`${GROUP}/sessions`]: {
    get: ALL,
    list: ALL,
    watch: ALL,
    create: EDITORS,
    delete: EDITORS,
    deletecollection: EDITORS,
  },
  [`${GROUP}/sessions/status`]: {},
  [`${GROUP}/sessions/finalizers`]: {},
  [`${GROUP}/namespacepolicies`]: {
    get: ALL,
    list: ALL,
    watch: ALL,
    create: ADMINS,
    update: ADMINS,
    patch: ADMINS,
    delete: ADMINS,
  },
  [`${GROUP}/namespacepolicies/status`]: {},
  [`${GROUP}/sessiontriggers`]: {
    get: ALL,
    list: ALL,
    watch: ALL,
    create: ADMINS,
    update: ADMINS,
    patch: ADMINS,
    delete: ADMINS,
  },
  [`${GROUP}/sessiontriggers/status`]: {},
  [`${GROUP}/frameworks`]: { get: EVERYBODY, list: EVERYBODY, watch: EVERYBODY },
  [`${LIVE_GROUP}/sessions`]: {},
  [`${LIVE_GROUP}/sessions/log`]: { get: ALL },
  [`${LIVE_GROUP}/sessions/artifacts`]: { get: ALL },
  [`${LIVE_GROUP}/sessions/source`]: { get: EDITORS, update: EDITORS },
  [`${LIVE_GROUP}/sessions/stop`]: { create: EDITORS },
  [`${LIVE_GROUP}/sessions/message`]: { create: EDITORS },
  [`${LIVE_GROUP}/sessions/interrupt`]: { create: EDITORS },
  [`${LIVE_GROUP}/sessions/resume`]: { create: EDITORS },
  [`${LIVE_GROUP}/sessions/approve`]: { create: APPROVERS },
  [`${LIVE_GROUP}/sessions/reject`]: { create: APPROVERS },
  [`${LIVE_GROUP}/sessions/budget`]: { create: APPROVERS },
  [`${LIVE_GROUP}/sessions/audit`]: { get: ADMINS },
};

const subjectOf = (role: Role): Subject =>
  role === 'anonymous'
    ? { user: 'system:anonymous', groups: ['system:unauthenticated'] }
    : { user: `has-${role}`, groups: ['system:authenticated'] };

/** Answers of this many questions are waited for at a time. */
const AT_ONCE = 16;

describe('roles of people', function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  let operator: OperatorProcess | undefined;
  let own: string;
  let other: string;

  before(async function () {
    this.timeout(300_000);
    cluster = await testCluster(this);
    // Rights are decided before the operator is asked, so that all of this holds without one too.
    if (cluster.nodeHostAddress.startsWith('127.'))
      await cluster.kubectl(['apply', '-f', join(manifests, 'operator', '21-user-roles.yaml')]);
    else {
      operator = await runOperatorProcess(cluster);
      await liveApiAvailable(cluster);
    }
    [own, other] = await Promise.all([cluster.namespace('own'), cluster.namespace('other')]);
    for (const role of BOUND)
      await cluster.kubectl([
        '-n',
        own,
        'create',
        'rolebinding',
        role,
        `--clusterrole=${role}`,
        `--user=has-${role}`,
      ]);
    // Kubernetes aggregates roles in its own time.
    await until(
      async () =>
        (await may('view', `${LIVE_GROUP}/sessions/log`, 'get', own)) &&
        (await may('edit', `${LIVE_GROUP}/sessions/stop`, 'create', own)) &&
        (await may('admin', `${LIVE_GROUP}/sessions/stop`, 'create', own)) &&
        (await may('admin', `${LIVE_GROUP}/sessions/audit`, 'get', own)),
      'the roles are aggregated',
    );
  });
  after(async function () {
    this.timeout(60_000);
    await operator?.[Symbol.asyncDispose]();
  });

  async function may(role: Role, what: string, verb: Verb, namespace: string): Promise<boolean> {
    const [group = '', resource = '', subresource] = what.split('/');
    const { allowed } = await cluster.client.subjectAccessReview(subjectOf(role), {
      group,
      resource,
      verb,
      namespace: resource === 'frameworks' ? '' : namespace,
      ...(subresource === undefined ? {} : { subresource }),
    });
    return allowed;
  }

  /** By `role verb what`. */
  async function answers(namespace: string): Promise<Map<string, boolean>> {
    const questions = Object.keys(EXPECTED).flatMap((what) =>
      VERBS.flatMap((verb) => ROLES.map((role) => ({ role, what, verb }))),
    );
    const found = new Map<string, boolean>();
    const ask = async (): Promise<void> => {
      for (let next = questions.pop(); next !== undefined; next = questions.pop())
        found.set(
          `${next.role} ${next.verb} ${next.what}`,
          await may(next.role, next.what, next.verb, namespace),
        );
    };
    await Promise.all(Array.from({ length: AT_ONCE }, ask));
    return found;
  }

  function table(found: ReadonlyMap<string, boolean>): string {
    const width = Math.max(...Object.keys(EXPECTED).map((what) => what.length));
    const lines = [`${'may'.padEnd(width + 17)} ${ROLES.join(' ')}`];
    for (const what of Object.keys(EXPECTED))
      for (const verb of VERBS) {
        const cells = ROLES.map((role) =>
          (found.get(`${role} ${verb} ${what}`) === true ? 'yes' : '·').padEnd(role.length),
        );
        lines.push(`${what.padEnd(width)} ${verb.padEnd(16)} ${cells.join(' ')}`);
      }
    return lines.map((line) => `      ${line.trimEnd()}`).join('\n');
  }

  it('have in their own namespace exactly the rights of the table', async () => {
    const found = await answers(own);
    console.log(table(found));
    const [allowed, refused] = [[...found.values()].filter(Boolean).length, found.size];
    console.log(`      ${found.size} questions, ${allowed} allowed, ${refused - allowed} refused`);
    const wrong: string[] = [];
    for (const [what, verbs] of Object.entries(EXPECTED))
      for (const verb of VERBS)
        for (const role of ROLES) {
          const expected = verbs[verb]?.includes(role) ?? false;
          if (found.get(`${role} ${verb} ${what}`) !== expected)
            wrong.push(`${role} ${expected ? 'should' : 'should not'} ${verb} ${what}`);
        }
    assert.deepEqual(wrong, []);
  });

  it("have in another's namespace none at all", async () => {
    const found = await answers(other);
    const allowed = [...found].filter(([, yes]) => yes).map(([question]) => question);
    console.log(
      `      ${found.size} questions, ${allowed.length} allowed: frameworks, which belong to no namespace`,
    );
    const frameworks = ['get', 'list', 'watch'].flatMap((verb) =>
      EVERYBODY.map((role) => `${role} ${verb} ${GROUP}/frameworks`),
    );
    assert.deepEqual(allowed.sort(), frameworks.sort());
  });

  it('ask about themselves and hear the same', async () => {
    const answer = await cluster.client.connection.json<{ status: { allowed: boolean } }>(
      '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      asRole('ambient-approver', {
        method: 'POST',
        body: {
          apiVersion: 'authorization.k8s.io/v1',
          kind: 'SelfSubjectAccessReview',
          spec: {
            resourceAttributes: {
              namespace: own,
              group: LIVE_GROUP,
              resource: 'sessions',
              subresource: 'approve',
              verb: 'create',
            },
          },
        },
      }),
    );
    assert.equal(answer.status.allowed, true);
  });

  const asRole = (role: Role, options: RequestOptions = {}): RequestOptions => ({
    ...options,
    headers: { 'impersonate-user': subjectOf(role).user, ...options.headers },
  });

  /** Whether Kubernetes let the request through; what then comes of it is another matter. */
  async function passes(role: Role, path: string, options: RequestOptions = {}): Promise<boolean> {
    try {
      const { body } = await cluster.client.connection.stream(path, asRole(role, options));
      body.resume();
      return true;
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      // The operator's own refusals carry a code of the catalogue.
      return !(error.status === 403 && error.causeCode === undefined);
    }
  }

  const merge = { method: 'PATCH', contentType: 'application/merge-patch+json' } as const;
  const requests: [string, readonly Role[], (namespace: string) => [string, RequestOptions?]][] = [
    ['list sessions', ALL, (namespace) => [resourcePath(sessions, { namespace })]],
    [
      'launch a session',
      EDITORS,
      (namespace) => [
        resourcePath(sessions, { namespace, query: { dryRun: 'All' } }),
        { method: 'POST', body: aSession('fresh').in(namespace).toCreate() },
      ],
    ],
    [
      'change the spec of a session',
      [],
      (namespace) => [
        resourcePath(sessions, { namespace, name: 's1' }),
        { ...merge, body: { spec: { displayName: 'x' } } },
      ],
    ],
    [
      'label a session',
      [],
      (namespace) => [
        resourcePath(sessions, { namespace, name: 's1' }),
        { ...merge, body: { metadata: { labels: { a: 'b' } } } },
      ],
    ],
    [
      'write the status of a session',
      [],
      (namespace) => [
        resourcePath(sessions, { namespace, name: 's1', subresource: 'status' }),
        {
          ...merge,
          body: { status: { approval: { decision: 'Approved', by: 'me', at: '2030-01-01T00:00:00Z' } } },
        },
      ],
    ],
    [
      'delete a session',
      EDITORS,
      (namespace) => [
        resourcePath(sessions, { namespace, name: 's1', query: { dryRun: 'All' } }),
        { method: 'DELETE' },
      ],
    ],
    [
      'delete all sessions',
      EDITORS,
      (namespace) => [resourcePath(sessions, { namespace, query: { dryRun: 'All' } }), { method: 'DELETE' }],
    ],
    ['read the policy', ALL, (namespace) => [resourcePath(namespacePolicies, { namespace, name: 'policy' })]],
    [
      'set the policy',
      ADMINS,
      (namespace) => [
        resourcePath(namespacePolicies, { namespace, name: 'policy' }),
        { ...merge, body: { spec: {} } },
      ],
    ],
    [
      'make a policy',
      ADMINS,
      (namespace) => [
        resourcePath(namespacePolicies, { namespace, query: { dryRun: 'All' } }),
        { method: 'POST', body: { ...aPolicy(namespace), metadata: { name: 'policy', namespace } } },
      ],
    ],
    [
      'write what the namespace has spent',
      [],
      (namespace) => [
        resourcePath(namespacePolicies, { namespace, name: 'policy', subresource: 'status' }),
        { ...merge, body: { status: {} } },
      ],
    ],
    ['list triggers', ALL, (namespace) => [resourcePath(sessionTriggers, { namespace })]],
    [
      'make a trigger',
      ADMINS,
      (namespace) => [
        resourcePath(sessionTriggers, { namespace, query: { dryRun: 'All' } }),
        {
          method: 'POST',
          body: {
            apiVersion: API_VERSION,
            kind: 'SessionTrigger',
            metadata: { name: 'fresh', namespace },
            spec: { source: 'github', session: { framework: { type: 'generic' } } },
          },
        },
      ],
    ],
    ['read a log', ALL, (namespace) => [livePaths.log(namespace, 's1')]],
    ['list artifacts', ALL, (namespace) => [livePaths.artifacts(namespace, 's1')]],
    ['open an artifact', ALL, (namespace) => [livePaths.artifact(namespace, 's1', 'a/b.txt')]],
    ['see what has been uploaded', EDITORS, (namespace) => [livePaths.source(namespace, 's1')]],
    ['upload', EDITORS, (namespace) => [livePaths.source(namespace, 's1', 0), { method: 'PUT', body: 'x' }]],
    // Bodies that the operator refuses, so that the session stays as it is.
    ['stop', EDITORS, (namespace) => [livePaths.stop(namespace, 's1'), { method: 'POST', body: { no: 1 } }]],
    [
      'say something',
      EDITORS,
      (namespace) => [livePaths.message(namespace, 's1'), { method: 'POST', body: { no: 1 } }],
    ],
    [
      'interrupt',
      EDITORS,
      (namespace) => [livePaths.interrupt(namespace, 's1'), { method: 'POST', body: { no: 1 } }],
    ],
    [
      'approve',
      APPROVERS,
      (namespace) => [livePaths.approve(namespace, 's1'), { method: 'POST', body: { no: 1 } }],
    ],
    ['reject', APPROVERS, (namespace) => [livePaths.reject(namespace, 's1'), { method: 'POST', body: {} }]],
    ['read the audit record', ADMINS, (namespace) => [livePaths.audit(namespace, 's1')]],
  ];

  describe('by real requests', () => {
    before(async () => {
      for (const namespace of [own, other]) {
        const waits = aSession('s1')
          .in(namespace)
          .spec({ policy: { approvalRequired: true } });
        await cluster.client.create(sessions, waits.toCreate());
        await cluster.client.create(namespacePolicies, {
          ...aPolicy(namespace),
          metadata: { name: 'policy', namespace },
        });
      }
    });

    for (const [what, expected, request] of requests)
      it(`${what}: ${expected.length === 0 ? 'nobody' : expected.join(', ')}`, async () => {
        const found = async (namespace: string): Promise<Role[]> => {
          const [path, options] = request(namespace);
          const passed = await Promise.all(ROLES.map((role) => passes(role, path, options)));
          return ROLES.filter((_, index) => passed[index]);
        };
        assert.deepEqual(await found(own), expected);
        assert.deepEqual(await found(other), []);
      });
  });
});
