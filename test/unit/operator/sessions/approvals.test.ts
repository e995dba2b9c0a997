/** Decisions against an API that loses races on demand; test/operator/approval.test.ts has the real one. */
import assert from 'node:assert/strict';
import type { AuditEvent } from '../../../../common/api/audit.ts';
import type { NamespacePolicySpec } from '../../../../common/api/namespace-policy.ts';
import type { Session, SessionStatus } from '../../../../common/api/session.ts';
import { AmbientError } from '../../../../common/errors.ts';
import type { KubeClient } from '../../../../common/kube/client.ts';
import { KubeError } from '../../../../common/kube/errors.ts';
import { effectivePolicy } from '../../../../common/rules/policy/effective.ts';
import { Approvals } from '../../../../operator/sessions/approvals.ts';
import type { SessionBuilder } from '../../../support/fixtures.ts';
import { aSession } from '../../../support/fixtures.ts';
import { temporaryStore } from '../../../support/temporary-store.ts';

type Approval = NonNullable<NamespacePolicySpec['approval']>;

describe('deciding about a session', () => {
  const cleanup = new AsyncDisposableStack();
  after(() => cleanup.disposeAsync());

  async function aDesk(
    builder: SessionBuilder = aSession()
      .spec({ createdBy: { user: 'ann' } })
      .pending(),
    approval: Approval = { required: true },
  ) {
    const { store } = cleanup.use(await temporaryStore());
    const audited: AuditEvent[] = [];
    let truth: Session = builder.build();
    const desk = {
      /** Called before each write. */
      meddle: undefined as ((attempt: number) => Partial<SessionStatus> | undefined) | undefined,
      auditFails: false,
      writes: 0,
      gone: false,
      audited,
      status: () => truth.status,
    };
    const api = {
      get: async () => {
        if (desk.gone) throw new KubeError('gone', { status: 404, reason: 'NotFound' });
        return truth;
      },
      mergePatch: async (
        _: unknown,
        __: unknown,
        patch: { metadata: { resourceVersion: string }; status: object },
      ) => {
        const change = desk.meddle?.(++desk.writes);
        const version = Number(truth.metadata.resourceVersion);
        if (change !== undefined)
          truth = {
            ...truth,
            metadata: { ...truth.metadata, resourceVersion: String(version + 1) },
            status: { ...truth.status, ...change },
          };
        if (patch.metadata.resourceVersion !== truth.metadata.resourceVersion)
          throw new KubeError('changed', { status: 409, reason: 'Conflict' });
        truth = { ...truth, status: { ...truth.status, ...patch.status } };
        return truth;
      },
    };
    const approvals = new Approvals({
      client: api as unknown as KubeClient,
      store,
      policies: { of: () => effectivePolicy({ approval }) },
      audit: {
        record: async (event) => {
          if (desk.auditFails) throw new AmbientError('audit_unavailable', 'the store is full');
          audited.push(event);
        },
      },
      operatorUser: 'operator',
      now: () => new Date('2030-01-01T00:00:00.500Z'),
    });
    const session = truth;
    const decide = (
      decision: 'Approved' | 'Rejected',
      name: string,
      body: unknown = {},
      groups: string[] = [],
    ) => approvals.decide(session, decision, { name, groups }, body, { traceId: 't1' });
    return Object.assign(desk, { decide });
  }
  const outcomes = ({ audited }: { audited: AuditEvent[] }) =>
    audited.map(({ actor, resource, outcome }) => `${actor} ${resource} ${outcome}`);
  const refused = (work: Promise<unknown>, code: string, message: RegExp): Promise<void> =>
    assert.rejects(work, (error: unknown) => {
      assert.ok(error instanceof AmbientError && error.code === code, String(error));
      assert.match(error.message, message);
      return true;
    });

  it('is condition, history and answer with who, when and why', async () => {
    const desk = await aDesk();
    const answer = await desk.decide('Approved', 'bob', { reason: ' looks good ' });
    const standing = { decision: 'Approved', by: 'bob', at: '2030-01-01T00:00:00Z', reason: 'looks good' };
    assert.deepEqual(answer, {
      kind: 'ApprovalDecision',
      apiVersion: 'live.ambient.ai/v1alpha1',
      ...standing,
    });
    const { approval, conditions, history, message } = desk.status() ?? {};
    assert.deepEqual(approval, standing);
    assert.deepEqual(
      conditions?.map(({ type, status, reason }) => [type, status, reason]),
      [['Approved', 'True', 'Approved']],
    );
    assert.deepEqual(history, [
      { seq: 1, timestamp: standing.at, event: 'Approved', actor: 'bob', data: { reason: 'looks good' } },
    ]);
    assert.equal(message, 'Approved by bob: looks good');
    assert.deepEqual(outcomes(desk), ['bob sessions/approve allowed']);
    assert.deepEqual(
      [desk.audited[0]?.sessionUid, desk.audited[0]?.traceId, desk.audited[0]?.details],
      ['uid-of-s1', 't1', { reason: 'looks good' }],
    );
  });

  it('needs a reason to reject, and none to approve', async () => {
    const desk = await aDesk();
    for (const body of [
      {},
      { reason: '' },
      { reason: ' \n' },
      { reason: 'x'.repeat(1025) },
      [],
      null,
      'no',
      { reason: 5 },
      { reason: 'x', force: true },
    ])
      await refused(desk.decide('Rejected', 'bob', body), 'invalid_request', /./);
    assert.deepEqual(desk.audited, []);
    assert.equal((await desk.decide('Rejected', 'bob', { reason: 'too dear' })).decision, 'Rejected');
  });

  it('happens once: the same again is the same, another is refused with who and when', async () => {
    const approval = { decision: 'Approved', by: 'bob', at: '2029-12-31T23:00:00Z' } as const;
    const desk = await aDesk(aSession().pending().status({ approval }));
    assert.equal((await desk.decide('Approved', 'bob')).at, approval.at);
    await refused(
      desk.decide('Approved', 'eve'),
      'conflict',
      /approved by bob at 2029-12-31T23:00:00Z; the first decision stands/,
    );
    await refused(
      desk.decide('Rejected', 'bob', { reason: 'on second thought' }),
      'conflict',
      /approved by bob/,
    );
    assert.deepEqual([desk.writes, desk.audited], [0, []]);
  });

  it('tries again after a race that changed nothing, and gives way to one that decided', async () => {
    const busy = await aDesk();
    busy.meddle = (attempt) => (attempt <= 3 ? { message: `change ${attempt}` } : undefined);
    assert.equal((await busy.decide('Approved', 'bob')).by, 'bob');
    assert.deepEqual(outcomes(busy), ['bob sessions/approve allowed'], 'recorded once');

    const beaten = await aDesk();
    beaten.meddle = () => ({ approval: { decision: 'Rejected', by: 'eve', at: '2030-01-01T00:00:00Z' } });
    await refused(beaten.decide('Approved', 'bob'), 'conflict', /rejected by eve/);
    assert.equal(beaten.status()?.approval?.by, 'eve');
    assert.deepEqual(outcomes(beaten), ['bob sessions/approve allowed', 'bob sessions/approve failed']);
  });

  it('ends with the session that is gone meanwhile', async () => {
    const desk = await aDesk();
    desk.meddle = () => {
      desk.gone = true;
      return { message: 'deleted' };
    };
    await refused(desk.decide('Approved', 'bob'), 'not_found', /is gone/);
  });

  it('is not for everybody, and every refusal is recorded', async () => {
    const desk = await aDesk(undefined, { required: true, approvers: ['leads'] });
    await refused(desk.decide('Approved', 'bob'), 'approval_forbidden', /Only the approvers .*\(leads\)/);
    await refused(
      desk.decide('Rejected', 'ann', { reason: 'x' }, ['leads']),
      'approval_forbidden',
      /ann launched/,
    );
    assert.equal((await desk.decide('Approved', 'bob', {}, ['leads'])).by, 'bob');
    assert.deepEqual(
      desk.audited.map(({ outcome, details }) => [outcome, details?.['refused']]),
      [
        ['denied', 'NotAnApprover'],
        ['denied', 'LaunchedIt'],
        ['allowed', undefined],
      ],
    );
  });

  it('does not happen unless it can be recorded', async () => {
    const desk = await aDesk();
    desk.auditFails = true;
    await refused(desk.decide('Approved', 'bob'), 'audit_unavailable', /full/);
    assert.equal(desk.writes, 0);
  });

  const builder = () => aSession().spec({ createdBy: { user: 'ann' } });
  const nothing: [string, SessionBuilder, Approval, string, RegExp][] = [
    ['runs', builder().running(), { required: true }, 'conflict', /waits for no approval/],
    ['needs none', builder().pending(), {}, 'conflict', /waits for no approval/],
    [
      'the policy approves by itself',
      builder().pending(),
      { required: true, autoApprove: { triggers: ['manual'] } },
      'conflict',
      /waits for no approval/,
    ],
    ['is over', builder().status({ phase: 'Failed' }), { required: true }, 'already_finished', /is Failed/],
    [
      'is being stopped',
      builder().pending().stopRequested(),
      { required: true },
      'already_finished',
      /being stopped/,
    ],
  ];
  for (const [name, session, approval, code, message] of nothing)
    it(`is refused about a session that ${name}`, async () => {
      const desk = await aDesk(session, approval);
      await refused(desk.decide('Approved', 'bob'), code, message);
      assert.deepEqual([desk.writes, desk.audited], [0, []]);
    });
});
