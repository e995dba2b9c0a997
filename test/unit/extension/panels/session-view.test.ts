/** What the session page is told of sessions at each stage. */
import assert from 'node:assert/strict';
import type { TimelineStep } from '../../../../common/api/panels.ts';
import type { Session, SessionStatus } from '../../../../common/api/session.ts';
import { artifactAt, sessionView } from '../../../../extension/panels/session-view.ts';
import { causeOf } from '../../../../extension/sessions/cause.ts';
import { timelineOf } from '../../../../extension/panels/timeline.ts';
import { aSession } from '../../../support/fixtures.ts';

const T = (seconds: number): string => `2030-01-01T00:00:${String(seconds).padStart(2, '0')}Z`;
type Condition = NonNullable<SessionStatus['conditions']>[number];
const condition = (
  type: string,
  status: Condition['status'],
  reason: string,
  seconds: number,
  message = `${type} ${reason}`,
): Condition => ({ type, status, reason, message, lastTransitionTime: T(seconds) });

const ACCEPTED = [
  condition('PolicyValidated', 'True', 'Accepted', 1),
  condition('SourceReady', 'True', 'FetchedAtStart', 2),
  condition('WorkloadCreated', 'True', 'JobCreated', 3),
];
const git = { source: { type: 'git' as const, git: { url: 'https://git.example/a.git', ref: 'main' } } };
const withStatus = (status: SessionStatus): Session => aSession('s1').spec(git).status(status).build();

/** `Created done 1000 | …` */
const asText = (steps: TimelineStep[]): string =>
  steps
    .map(({ label, state, durationMs }) =>
      [label, state, durationMs].filter((part) => part !== undefined).join(' '),
    )
    .join(' | ');

describe('the timeline of a session', () => {
  it('begins with waiting for validation', () => {
    assert.equal(
      asText(timelineOf(withStatus({}))),
      'Created done | Validated active | Source waiting | Workload waiting | Running waiting | Artifacts waiting | Completed waiting',
    );
  });

  it('says what the source waits for', () => {
    const steps = timelineOf(
      withStatus({
        phase: 'Pending',
        conditions: [
          condition('PolicyValidated', 'True', 'Accepted', 1),
          condition('SourceReady', 'False', 'AwaitingUpload', 1, 'Waiting for the upload.'),
        ],
      }),
    );
    assert.match(asText(steps), /^Created done 1000 \| Validated done \| Source active \| Workload waiting/);
    assert.equal(steps[2]?.detail, 'Waiting for the upload.');
  });

  it('shows a running session with the time of each step before', () => {
    assert.equal(
      asText(
        timelineOf(withStatus({ phase: 'Running', conditions: ACCEPTED, workload: { startTime: T(9) } })),
      ),
      'Created done 1000 | Validated done 1000 | Source done 1000 | Workload done 6000 | Running active | Artifacts waiting | Completed waiting',
    );
  });

  it('takes steps for done that lie before one that was reached', () => {
    assert.match(
      asText(timelineOf(withStatus({ phase: 'Running', workload: { startTime: T(9) } }))),
      /^Created done 9000 \| Validated done \| Source done \| Workload done \| Running active/,
    );
  });

  it('leaves out the source where none is needed', () => {
    const session = withStatus({ conditions: [condition('SourceReady', 'True', 'NotNeeded', 1)] });
    delete session.spec.source;
    const step = timelineOf(session)[2];
    assert.deepEqual([step?.state, step?.detail], ['skipped', 'Not needed']);
  });

  it('is complete after success', () => {
    assert.equal(
      asText(
        timelineOf(
          withStatus({
            phase: 'Completed',
            workload: { startTime: T(9) },
            conditions: [
              ...ACCEPTED,
              condition('ArtifactsGenerated', 'True', 'Collected', 40),
              condition('Completed', 'True', 'Succeeded', 41),
            ],
          }),
        ),
      ),
      'Created done 1000 | Validated done 1000 | Source done 1000 | Workload done 6000 | Running done 31000 | Artifacts done 1000 | Completed done',
    );
  });

  const failures: [string, SessionStatus, string][] = [
    [
      'a refused session fails at validation',
      {
        conditions: [
          condition('PolicyValidated', 'False', 'UnknownFramework', 1),
          condition('Failed', 'True', 'UnknownFramework', 1),
        ],
      },
      'Created done 1000 | Validated failed | Source skipped | Workload skipped | Running skipped | Artifacts skipped | Failed failed',
    ],
    [
      'a source that the runner cannot clone fails at the source',
      {
        workload: { startTime: T(9) },
        conditions: [...ACCEPTED, condition('Failed', 'True', 'SourceUnavailable', 12)],
      },
      'Created done 1000 | Validated done 1000 | Source failed 1000 | Workload done 6000 | Running done 3000 | Artifacts skipped | Failed failed',
    ],
    [
      'an image that cannot be pulled fails before the run',
      { conditions: [...ACCEPTED, condition('Failed', 'True', 'ImagePullFailed', 12)] },
      'Created done 1000 | Validated done 1000 | Source done 1000 | Workload done 9000 | Running failed | Artifacts skipped | Failed failed',
    ],
    [
      'a command that fails does so while running, and its artifacts are kept',
      {
        workload: { startTime: T(9) },
        conditions: [
          ...ACCEPTED,
          condition('ArtifactsGenerated', 'True', 'Collected', 12),
          condition('Failed', 'True', 'CommandFailed', 12),
        ],
      },
      'Created done 1000 | Validated done 1000 | Source done 1000 | Workload done 6000 | Running failed 3000 | Artifacts done 0 | Failed failed',
    ],
    [
      'artifacts that were not all stored fail there',
      {
        workload: { startTime: T(9) },
        conditions: [
          ...ACCEPTED,
          condition('ArtifactsGenerated', 'False', 'Incomplete', 12),
          condition('Failed', 'True', 'StorageFull', 12),
        ],
      },
      'Created done 1000 | Validated done 1000 | Source done 1000 | Workload done 6000 | Running done 3000 | Artifacts failed | Failed failed',
    ],
    [
      'a stopped session ends as stopped, not as failed',
      {
        workload: { startTime: T(9) },
        stop: { requestedAt: T(10), requestedBy: 'ann', gracePeriodSeconds: 5 },
        conditions: [...ACCEPTED, condition('Failed', 'True', 'Stopped', 12)],
      },
      'Created done 1000 | Validated done 1000 | Source done 1000 | Workload done 6000 | Running stopped 3000 | Artifacts skipped | Stopped stopped',
    ],
  ];
  for (const [name, status, expected] of failures)
    it(name, () => {
      assert.equal(asText(timelineOf(withStatus({ phase: 'Failed', ...status }))), expected);
    });

  it('never counts backwards when clocks disagree', () => {
    const steps = timelineOf(
      withStatus({ phase: 'Running', conditions: ACCEPTED, workload: { startTime: T(2) } }),
    );
    assert.equal(steps[3]?.durationMs, 0);
  });
});

describe('approval and turn in the timeline', () => {
  const waits = (status: SessionStatus): string =>
    asText(timelineOf(withStatus({ phase: 'Pending', ...status })));

  it('are steps only where there was something to wait for', () => {
    const approved = condition('Approved', 'True', 'NotRequired', 1);
    assert.doesNotMatch(waits({ conditions: [...ACCEPTED, approved] }), /Approval|Turn/);
    assert.match(
      waits({
        conditions: [ACCEPTED[0] as Condition, condition('Approved', 'False', 'AwaitingApproval', 1)],
      }),
      /Validated done \| Approval active \| Source waiting/,
    );
    assert.match(
      waits({
        conditions: [
          ...ACCEPTED.slice(0, 2),
          condition('Approved', 'True', 'Approved', 1),
          condition('Admitted', 'False', 'Concurrency', 2),
        ],
        approval: { decision: 'Approved', by: 'bob', at: T(1) },
      }),
      /Approval done 1000 \| Source done \| Turn active \| Workload waiting/,
    );
  });

  it('a rejected session fails at its approval', () => {
    const steps = waits({
      phase: 'Failed',
      conditions: [
        ACCEPTED[0] as Condition,
        condition('Approved', 'False', 'Rejected', 2),
        condition('Failed', 'True', 'Rejected', 2),
      ],
      approval: { decision: 'Rejected', by: 'bob', at: T(2), reason: 'No.' },
    });
    assert.match(steps, /Validated done 1000 \| Approval failed \| Source skipped.*Failed failed$/);
  });
});

describe('the view of a session', () => {
  it('can be stopped until it has ended, is being stopped or is deleted', () => {
    const can = (session: Session, deleted = false): boolean => sessionView(session, { deleted }).canStop;
    assert.equal(can(aSession().running().build()), true);
    assert.equal(can(aSession().running().stopRequested().build()), false);
    assert.equal(can(withStatus({ phase: 'Completed' })), false);
    assert.equal(can(aSession().running().build(), true), false);
  });

  it('says who launched it when a person did, and nothing when only the operator is known', () => {
    const by = (actor: string): unknown =>
      sessionView(
        withStatus({ history: [{ seq: 1, timestamp: T(0), event: 'Created', actor }] }),
      ).details.find(({ label }) => label === 'Launched by')?.value;
    assert.equal(by('ann'), 'ann');
    assert.equal(by('system:ambient-operator'), undefined);
  });

  it('lists history newest first, with its data on one line, and counts what is archived', () => {
    const view = sessionView(
      withStatus({
        history: [
          {
            seq: 501,
            timestamp: T(1),
            event: 'Started',
            actor: 'x',
            data: { pod: 'p', tries: 2, more: { a: [1] } },
          },
          { seq: 502, timestamp: T(2), event: 'Completed', actor: 'x' },
        ],
      }),
    );
    assert.deepEqual(
      view.history.map(({ event, data }) => [event, data]),
      [
        ['Completed', ''],
        ['Started', 'pod: p · tries: 2 · more: {"a":[1]}'],
      ],
    );
    assert.equal(view.historyArchived, 500);
  });

  it('takes artifacts from the live API, and from the object where that does not answer', () => {
    const session = withStatus({
      artifacts: {
        generated: [
          {
            type: 'output',
            location: 'a.md',
            size: 2048,
            contentType: 'text/markdown',
            createdAt: T(1),
            metadata: { digest: 'sha256:x' },
          },
        ],
        count: 120,
        totalBytes: 4096,
      },
    });
    const fromObject = sessionView(session, {
      artifacts: { problem: 'The operator does not answer.' },
    }).artifacts;
    assert.deepEqual(
      [fromObject.rows.map(({ path, size }) => [path, size]), fromObject.total, fromObject.note],
      [[['a.md', '2 KiB']], 120, 'The operator does not answer.'],
    );
    assert.equal(artifactAt(session, undefined, 'a.md')?.digest, 'sha256:x');

    const item = (path: string, size: number) => ({
      ...{ path, size, type: 'output' as const, contentType: 'image/svg+xml' },
      ...{ createdAt: T(1), digest: 'd' },
    });
    const items = [item('.ambient/provenance.intoto.jsonl', 900), item('b.svg', 3)];
    const live = sessionView(session, { artifacts: { items } }).artifacts;
    assert.deepEqual(
      [live.rows.map(({ path }) => path), live.total, live.records, live.totalSize, live.note],
      [['b.svg', '.ambient/provenance.intoto.jsonl'], 1, 1, '3 bytes', undefined],
    );
    assert.equal(artifactAt(session, { items }, 'a.md'), undefined);
  });

  it('shows Failed as bad and Completed as good', () => {
    const rows = sessionView(
      withStatus({
        conditions: [
          condition('Failed', 'True', 'OutOfMemory', 1),
          condition('Completed', 'True', 'Succeeded', 1),
        ],
      }),
    ).conditions;
    assert.deepEqual(
      rows.map(({ good }) => good),
      [false, true],
    );
  });

  it('says which event triggered it, and offers to show it', () => {
    const trigger = {
      source: 'github' as const,
      event: 'issues',
      action: 'labeled',
      name: 'fix',
      delivery: 'd-1',
      received: { digest: `sha256:${'0'.repeat(64)}`, sizeBytes: 1, artifact: '.ambient/p' },
      payload: {
        issue: { number: 41, title: `Prices ${'x'.repeat(500)}` },
        repository: { full_name: 'acme/shop' },
        sender: { login: 'ann' },
      },
    };
    const createdBy = { user: 'system:serviceaccount:ambient-system:ambient-operator' };
    const session = aSession().spec({ trigger, createdBy }).build();
    const facts = { refusals: {}, policy: undefined, cause: causeOf(session) };
    const view = sessionView(session, { facts });
    const details = Object.fromEntries(view.details.map(({ label, value }) => [label, value]));
    assert.equal(details['Trigger'], 'github, issues, labeled');
    assert.deepEqual([details['Session trigger'], details['Delivery']], ['fix', 'd-1']);
    assert.equal(details['Caused by'], 'ann');
    assert.match(details['About'] ?? '', /^acme\/shop #41, Prices x{100,}…$/);
    assert.equal(details['About']?.length, 200);
    assert.equal(details['Launched by'], undefined, 'the operator is nobody that one looks for');
    assert.equal(view.triggered, true);
    assert.equal(sessionView(aSession().build()).triggered, undefined);
  });

  it('says where its changes are in the repository, and offers to open that', () => {
    const session = aSession().build();
    session.status = { result: { branch: 'ambient/fix', pullRequest: 'https://github.com/team/app/pull/1' } };
    const view = sessionView(session);
    const details = Object.fromEntries(view.details.map(({ label, value }) => [label, value]));
    assert.deepEqual(
      [view.pushed, details['Result branch'], details['Pull request']],
      [true, 'ambient/fix', 'https://github.com/team/app/pull/1'],
    );
    assert.equal(sessionView(aSession().build()).pushed, undefined);
  });

  it('keeps what it last saw of a session that is gone', () => {
    const view = sessionView(aSession().running().build(), { deleted: true });
    assert.deepEqual([view.stateWord, view.canStop, view.canDelete], ['deleted', false, false]);
  });
});
