/** The admission door over real TLS, asked as kube-apiserver asks; test/operator/admission.test.ts lets a real one ask. */
import assert from 'node:assert/strict';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { AuditEvent } from '../../../../common/api/audit.ts';
import type { KubeStatus } from '../../../../common/api/kubernetes.ts';
import { FINALIZER_DATA } from '../../../../common/api/names.ts';
import type { NamespacePolicySpec } from '../../../../common/api/namespace-policy.ts';
import { GROUPS_MAX } from '../../../../common/api/session.ts';
import { AmbientError } from '../../../../common/errors.ts';
import { effectivePolicy } from '../../../../common/rules/policy/effective.ts';
import { createAdmissionServer, REVIEW_BYTES_MAX } from '../../../../operator/serve/admission/server.ts';
import type { Door } from '../../../../operator/serve/http/server.ts';
import { Admission } from '../../../../operator/sessions/admission.ts';
import { TestCertificates } from '../../../support/certificates.ts';
import { aFramework, aPolicy, aSession } from '../../../support/fixtures.ts';
import { ask } from '../../../support/https.ts';
import type { Answer, AskOptions } from '../../../support/https.ts';

const OPERATOR = 'system:serviceaccount:ambient-system:ambient-operator';
const TOKEN = 'a-token-nobody-knows';
const STAMP = 'created-by.sessions.ambient.ai';
const POLICY = 'policy.sessions.ambient.ai';
const CONFIG = 'config.namespacepolicies.ambient.ai';
const TRIGGER = 'config.sessiontriggers.ambient.ai';
const DELETION = 'deletion.ambient.ai';

interface Response {
  uid: string;
  allowed: boolean;
  status?: KubeStatus;
  patch?: string;
  patchType?: string;
  warnings?: string[];
}

const FRAMEWORKS = [
  aFramework(),
  aFramework('agent', {
    versions: [
      { name: '1', image: 'a', deprecated: 'it is slow.\nUse 2.' },
      { name: '2', image: 'b' },
    ],
    configSchema: {
      type: 'object',
      additionalProperties: false,
      required: ['prompt'],
      properties: { prompt: { type: 'string' }, maxTurns: { type: 'integer', minimum: 1 } },
    },
  }),
  aFramework('broken', { configSchema: { type: 'object', properties: { a: { pattern: '(' } } } }),
];

const ann = { username: 'ann', uid: 'u-1', groups: ['team-a', 'system:authenticated'] };

const reviewOf = (more: object, resource = 'sessions'): object => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  request: {
    uid: 'r-1',
    operation: 'CREATE',
    resource: { group: 'ambient.ai', version: 'v1alpha1', resource },
    namespace: 'default',
    name: 's1',
    userInfo: ann,
    dryRun: false,
    ...more,
  },
});

describe('the admission door', () => {
  let certificates: TestCertificates;
  let door: Door;
  let port: number;
  let recorded: AuditEvent[];
  let policy: NamespacePolicySpec;
  let isReady: boolean;
  let failure: AmbientError | undefined;
  let metrics: Registry;

  before(async () => (certificates = await TestCertificates.make()));
  beforeEach(async () => {
    recorded = [];
    policy = {};
    isReady = true;
    failure = undefined;
    metrics = new Registry();
    door = createAdmissionServer({
      admission: new Admission({
        policies: { of: () => effectivePolicy(policy) },
        framework: (name) => FRAMEWORKS.find(({ metadata }) => metadata.name === name),
        frameworks: () => FRAMEWORKS,
        ready: () => isReady,
        audit: {
          record: async (event) => {
            if (failure !== undefined) throw failure;
            recorded.push(event);
          },
        },
        operator: OPERATOR,
      }),
      certificates,
      isToken: async (sent) => sent === TOKEN,
      logger: pino({ level: 'silent' }),
      metrics,
    });
    port = await door.listen(0, '127.0.0.1');
  });
  afterEach(() => door.close(100));

  const raw = (path: string, options: AskOptions = {}): Promise<Answer> =>
    ask({ port, ca: certificates.ca }, path, { method: 'POST', ...options });
  const post = (webhook: string, body: object): Promise<Answer> =>
    raw(`/${TOKEN}/${webhook}?timeout=5s`, { body: JSON.stringify(body) });
  const responseTo = async (webhook: string, body: object): Promise<Response> => {
    const answer = await post(webhook, body);
    assert.equal(answer.status, 200, answer.text);
    const { response } = answer.json as { response: Response };
    assert.equal(response.uid, 'r-1');
    return response;
  };
  const session = (spec: object = {}): object => ({
    object: aSession().in('default').spec(spec).build(),
  });
  const patchOf = ({ patch = '' }: Response): unknown => JSON.parse(Buffer.from(patch, 'base64').toString());

  it('stamps who launches a session, over whatever was sent', async () => {
    const createdBy = { user: 'eve', groups: ['admins'] };
    const response = await responseTo(STAMP, reviewOf(session({ createdBy })));
    assert.deepEqual(response, { uid: 'r-1', allowed: true, patchType: 'JSONPatch', patch: response.patch });
    assert.deepEqual(patchOf(response), [
      {
        op: 'add',
        path: '/spec/createdBy',
        value: { user: 'ann', uid: 'u-1', groups: ['team-a', 'system:authenticated'] },
      },
      { op: 'add', path: '/metadata/finalizers', value: [FINALIZER_DATA] },
    ]);
  });

  it("makes the object stay until its data are gone, and keeps other people's finalizers", async () => {
    const sent = aSession().in('default').build();
    sent.metadata.finalizers = ['example.com/mine'];
    const patch = patchOf(await responseTo(STAMP, reviewOf({ object: sent }))) as { path: string }[];
    assert.deepEqual(patch[1], {
      op: 'add',
      path: '/metadata/finalizers',
      value: ['example.com/mine', FINALIZER_DATA],
    });
  });

  it('lets the operator itself say for whom it launches one, and stamps it where it does not', async () => {
    const userInfo = { username: OPERATOR };
    const sent = reviewOf({ ...session({ createdBy: { user: 'ann' } }), userInfo });
    const paths = (patchOf(await responseTo(STAMP, sent)) as { path: string }[]).map(({ path }) => path);
    assert.deepEqual(paths, ['/metadata/finalizers']);
    const [{ value }] = patchOf(await responseTo(STAMP, reviewOf({ ...session(), userInfo }))) as [
      { value: object },
    ];
    assert.deepEqual(value, { user: OPERATOR });
  });

  it('records a launch by the operator as that of the one it is for', async () => {
    const userInfo = { username: OPERATOR };
    await responseTo(POLICY, reviewOf({ ...session({ createdBy: { user: 'ann' } }), userInfo }));
    await responseTo(POLICY, reviewOf({ ...session({ createdBy: { user: 'ben' } }) }));
    assert.deepEqual(
      recorded.map(({ actor, details }) => [actor, details?.['by']]),
      [
        ['ann', OPERATOR],
        // Nobody else is believed: this one is stamped before, and is who asks in any case.
        ['ann', undefined],
      ],
    );
  });

  it('keeps only what the schema takes of a user in very many groups', async () => {
    const groups = ['x'.repeat(1000), ...Array.from({ length: 400 }, (_, index) => `group-${index}`)];
    const response = await responseTo(
      STAMP,
      reviewOf({ ...session(), userInfo: { username: 'ann', groups } }),
    );
    const [{ value }] = patchOf(response) as [{ value: { groups: string[] } }];
    assert.equal(value.groups.length, GROUPS_MAX);
    assert.equal(value.groups[0], 'group-0');
    const nobody = await responseTo(
      STAMP,
      reviewOf({ ...session(), userInfo: { username: 'x'.repeat(600) } }),
    );
    assert.equal(nobody.status?.code, 422);
  });

  it('leaves what has no spec to the schema', async () => {
    for (const object of [undefined, null, 'text', {}, { spec: null }, { spec: [] }, { spec: 'text' }])
      assert.deepEqual(await responseTo(STAMP, reviewOf({ object })), { uid: 'r-1', allowed: true });
  });

  it('refuses what policy forbids with the rule, the value and what is allowed, and records that first', async () => {
    policy = { models: { allowed: ['claude-*'] } };
    const framework = { type: 'generic', config: { model: 'gpt-5' } };
    const { allowed, status } = await responseTo(POLICY, reviewOf(session({ framework })));
    assert.equal(allowed, false);
    assert.deepEqual([status?.code, status?.reason], [403, 'Forbidden']);
    const message =
      'spec.framework.config.model is "gpt-5": spec.models.allowed of the namespace\'s policy does not cover it. Allowed: claude-*.';
    assert.equal(status?.message, message);
    assert.deepEqual(status?.details?.causes, [
      {
        reason: 'policy_violation',
        message: "Change the request so that the namespace's policy allows it.",
      },
      { reason: 'spec.models.allowed', field: 'spec.framework.config.model', message },
    ]);
    assert.deepEqual(recorded, [
      {
        namespace: 'default',
        sessionId: 's1',
        sessionUid: 'uid-of-s1',
        actor: 'ann',
        action: 'create',
        resource: 'sessions',
        outcome: 'denied',
        details: {
          framework: 'generic',
          trigger: 'manual',
          reason: 'PolicyViolation',
          violations: [{ rule: 'spec.models.allowed', field: 'spec.framework.config.model', value: 'gpt-5' }],
        },
        traceId: recorded[0]?.traceId,
      },
    ]);
    assert.match(await metrics.metrics(), /ambient_admission_refused_total 1/);
  });

  it('refuses a framework that executes commands where that is restricted, and leaves unknown ones to the controller', async () => {
    policy = { tools: { restrictions: { execution: true } } };
    const refused = await responseTo(POLICY, reviewOf(session()));
    assert.match(
      refused.status?.message ?? '',
      /^spec\.framework\.type is "generic": .*execution .* is true/,
    );
    const unknown = session({ framework: { type: 'unknown' } });
    assert.equal((await responseTo(POLICY, reviewOf(unknown))).allowed, true);
  });

  it('refuses a configuration that the framework does not take, with each field, and records that first', async () => {
    const framework = { type: 'agent', config: { maxTurns: 0, promt: 'x' } };
    const { allowed, status } = await responseTo(POLICY, reviewOf(session({ framework })));
    assert.equal(allowed, false);
    assert.deepEqual([status?.code, status?.reason], [422, 'Invalid']);
    assert.match(status?.message ?? '', /^spec\.framework\.config does not fit framework "agent": .*prompt/);
    const fields = status?.details?.causes?.flatMap(({ reason, field }) =>
      field === undefined ? [] : [`${reason} ${field}`],
    );
    assert.ok(fields?.includes('InvalidConfig spec.framework.config.maxTurns'), String(fields));
    assert.deepEqual(
      recorded.map(({ outcome, details }) => [outcome, details?.['reason']]),
      [['denied', 'InvalidConfig']],
    );
    const version = { type: 'agent', version: '3', config: { prompt: 'x' } };
    const unknown = await responseTo(POLICY, reviewOf(session({ framework: version })));
    assert.match(unknown.status?.message ?? '', /has no version "3"\. It has: 1, 2\./);
  });

  it('leaves mistakes of the framework itself to the controller', async () => {
    const framework = { type: 'broken', config: { a: 'x' } };
    assert.equal((await responseTo(POLICY, reviewOf(session({ framework })))).allowed, true);
  });

  it('warns of a deprecated version, in one line', async () => {
    const config = { prompt: 'x' };
    const old = session({ framework: { type: 'agent', config } });
    assert.deepEqual(await responseTo(POLICY, reviewOf(old)), {
      ...{ uid: 'r-1', allowed: true },
      warnings: ['version 1 of framework agent is deprecated: it is slow. Use 2.'],
    });
    const current = session({ framework: { type: 'agent', version: '2', config } });
    assert.deepEqual(await responseTo(POLICY, reviewOf(current)), { uid: 'r-1', allowed: true });
  });

  it('refuses a framework that the namespace does not allow', async () => {
    policy = { frameworks: { allowed: ['agent'] } };
    const { status } = await responseTo(POLICY, reviewOf(session()));
    const message =
      'spec.framework.type is "generic": spec.frameworks.allowed of the namespace\'s policy does not cover it. Allowed: agent.';
    assert.deepEqual([status?.code, status?.message], [403, message]);
  });

  it('lets through and records what policy allows; on a dry run it records nothing', async () => {
    assert.deepEqual(await responseTo(POLICY, reviewOf(session())), { uid: 'r-1', allowed: true });
    assert.deepEqual(
      recorded.map(({ actor, outcome }) => [actor, outcome]),
      [['ann', 'allowed']],
    );
    policy = { models: { budget: { monthly: '1.00' } } };
    const spec = { policy: { modelConstraints: { budget: '2' } } };
    const dry = await responseTo(POLICY, reviewOf({ ...session(spec), dryRun: true }));
    assert.equal(dry.allowed, false);
    await responseTo(POLICY, reviewOf({ ...session(), dryRun: true }));
    assert.equal(recorded.length, 1);
  });

  it('launches nothing while it cannot be recorded, or before the policies are known', async () => {
    failure = new AmbientError('audit_unavailable', 'the audit store is full');
    const unrecorded = await responseTo(POLICY, reviewOf(session()));
    assert.equal(unrecorded.allowed, false);
    assert.deepEqual([unrecorded.status?.code, unrecorded.status?.message], [503, 'the audit store is full']);
    failure = undefined;
    isReady = false;
    const early = await responseTo(POLICY, reviewOf(session()));
    assert.equal(early.status?.code, 503);
    assert.match(early.status?.message ?? '', /just started/);
    assert.deepEqual(recorded, []);
  });

  it('warns of each mistake of a policy and refuses none', async () => {
    const object = aPolicy('default', {
      models: { allowed: ['a'], blocked: ['*'] },
      concurrency: { maxSessions: 0 },
    });
    const response = await responseTo(CONFIG, reviewOf({ object, name: 'policy' }, 'namespacepolicies'));
    assert.equal(response.allowed, true);
    assert.deepEqual(response.warnings, [
      'error: spec.models.blocked[0] "*" blocks all models. Block only what must not be used, or list what may in spec.models.allowed.',
      'warning: spec.concurrency.maxSessions is 0: nothing will run. Set at least 1.',
    ]);
    assert.deepEqual(
      recorded.map(({ action, resource, sessionId }) => [action, resource, sessionId]),
      [['create', 'namespacepolicies', undefined]],
    );
    const odd = await responseTo(
      CONFIG,
      reviewOf({ object: { spec: 5 }, operation: 'UPDATE' }, 'namespacepolicies'),
    );
    assert.equal(odd.allowed, true);
    assert.equal(odd.warnings?.length, 1);
    const approvers = Array.from({ length: 40 }, () => 'x'.repeat(250));
    const long = aPolicy('default', { approval: { required: true, approvers } });
    const { warnings = [] } = await responseTo(CONFIG, reviewOf({ object: long }, 'namespacepolicies'));
    assert.ok(warnings.every((text) => text.length <= 256));
    assert.equal(warnings.at(-1), 'and 23 more');
  });

  it('warns of each mistake of a trigger and refuses none', async () => {
    const spec = {
      source: 'github',
      when: { events: ['pull_request.opened'] },
      session: { framework: { type: 'generic', config: { command: 'echo {{event.titel}}' } } },
    };
    const review = reviewOf({ object: { spec }, name: 't1' }, 'sessiontriggers');
    const { allowed, warnings = [] } = await responseTo(TRIGGER, review);
    assert.equal(allowed, true);
    assert.match(warnings[0] ?? '', /^error: spec\.when\.events\[0\] "pull_request\.opened" is event/);
    assert.match(
      warnings[1] ?? '',
      /^error: spec\.session\.framework\.config\.command an event has no "titel"/,
    );
    assert.deepEqual(
      recorded.map(({ action, resource, sessionId }) => [action, resource, sessionId]),
      [['create', 'sessiontriggers', undefined]],
    );
    const odd = reviewOf({ object: { spec: { source: 5 } }, operation: 'UPDATE' }, 'sessiontriggers');
    assert.deepEqual((await responseTo(TRIGGER, odd)).warnings?.length, 1);
    const oldObject = { metadata: { name: 't1' } };
    const deletion = reviewOf({ operation: 'DELETE', object: null, oldObject, name: '' }, 'sessiontriggers');
    assert.equal((await responseTo(DELETION, deletion)).allowed, true);
    assert.deepEqual(recorded.at(-1)?.resource, 'sessiontriggers');
  });

  it('records which trigger made a session, and what in it came from outside', async () => {
    const trigger = {
      source: 'github',
      event: 'pull_request',
      name: 'review',
      delivery: 'd-1',
      payload: { secret: 'x' },
      outside: [{ field: 'spec.framework.config.args[0]', from: ['event.title'] }],
    };
    await responseTo(POLICY, reviewOf(session({ trigger })));
    assert.deepEqual(recorded[0]?.details, {
      framework: 'generic',
      trigger: 'github',
      sessionTrigger: 'review',
      delivery: 'd-1',
      outside: ['spec.framework.config.args[0]'],
    });
  });

  it('records who deletes, and holds no deletion up when it cannot', async () => {
    const oldObject = aSession('gone').in('default').build();
    const deletion = reviewOf({ operation: 'DELETE', object: null, oldObject, name: '' });
    assert.deepEqual(await responseTo(DELETION, deletion), { uid: 'r-1', allowed: true });
    assert.deepEqual(
      recorded.map(({ action, sessionId, actor }) => [action, sessionId, actor]),
      [['delete', 'gone', 'ann']],
    );
    failure = new AmbientError('audit_unavailable', 'the audit store is full');
    const response = await responseTo(DELETION, deletion);
    assert.equal(response.allowed, true);
    assert.match(response.warnings?.[0] ?? '', /could not be recorded/);
  });

  it('shows nothing to whoever does not know the token', async () => {
    const body = JSON.stringify(reviewOf(session()));
    for (const path of [
      `/${TOKEN}x/${POLICY}`,
      `/wrong/${POLICY}`,
      `/${POLICY}`,
      `/${TOKEN}`,
      `/${TOKEN}/other`,
      `/${TOKEN}/${POLICY}/more`,
      '/',
    ]) {
      const answer = await raw(path, { body });
      assert.equal(answer.status, 404, path);
      assert.equal((answer.json as KubeStatus).message, 'there is nothing here');
    }
    assert.deepEqual(recorded, []);
  });

  it('says what is wrong with a body that is no review', async () => {
    const cases: [string, number, RegExp][] = [
      ['', 400, /no AdmissionReview/],
      ['{', 400, /not JSON/],
      ['null', 400, /no AdmissionReview/],
      ['[]', 400, /no AdmissionReview/],
      [JSON.stringify({ ...reviewOf({}), apiVersion: 'admission.k8s.io/v1beta1' }), 400, /apiVersion/],
      [JSON.stringify(reviewOf({ uid: 5 })), 400, /request.uid/],
      [JSON.stringify(reviewOf({ operation: 'EAT' })), 400, /request.operation/],
      [JSON.stringify(reviewOf({ userInfo: { groups: 'a' } })), 400, /groups/],
      [JSON.stringify(reviewOf({ operation: 'DELETE' })), 400, /for CREATE of sessions/],
      [JSON.stringify(reviewOf({}, 'namespacepolicies')), 400, /not for CREATE of namespacepolicies/],
      [JSON.stringify(reviewOf({ subResource: 'status' })), 400, /for CREATE of sessions/],
    ];
    for (const [body, status, message] of cases) {
      const answer = await raw(`/${TOKEN}/${POLICY}`, { body });
      assert.equal(answer.status, status, body.slice(0, 80));
      assert.match((answer.json as KubeStatus).message ?? '', message);
    }
    const binary = await raw(`/${TOKEN}/${POLICY}`, { body: Buffer.from([0xff, 0xfe]) });
    assert.match((binary.json as KubeStatus).message ?? '', /not UTF-8/);
    const large = await raw(`/${TOKEN}/${POLICY}`, { body: Buffer.alloc(REVIEW_BYTES_MAX + 1, ' ') });
    assert.equal(large.status, 413);
    assert.equal((await raw(`/${TOKEN}/${POLICY}`, { method: 'GET' })).status, 400);
    assert.deepEqual(recorded, []);
  });

  it('refuses a spec that is none, though the schema should have', async () => {
    const { status } = await responseTo(POLICY, reviewOf({ object: { spec: { framework: 5 } } }));
    assert.equal(status?.code, 422);
  });

  it('shows a new certificate to those who connect anew, without a restart', async () => {
    const before = certificates.ca;
    await certificates.exchange();
    assert.notEqual(certificates.ca, before);
    assert.equal((await responseTo(POLICY, reviewOf(session()))).allowed, true);
    await assert.rejects(ask({ port, ca: before }, '/', { method: 'POST' }));
  });
});
