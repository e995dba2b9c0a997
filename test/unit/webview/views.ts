/** Sessions as pages show them, at each stage: made by the code that makes them for real. */
import type { LogLine, LogUpdate, SessionPageState, SessionRefusals } from '../../../common/api/panels.ts';
import type { Artifact } from '../../../common/api/live.ts';
import type { Session, SessionStatus } from '../../../common/api/session.ts';
import type { PageFacts } from '../../../extension/panels/page-facts.ts';
import { sessionView } from '../../../extension/panels/session-view.ts';
import { aPolicy, aSession } from '../../support/fixtures.ts';

const minutesAgo = (minutes: number): string =>
  `${new Date(Date.now() - minutes * 60_000).toISOString().slice(0, 19)}Z`;

type Condition = NonNullable<SessionStatus['conditions']>[number];
const condition = (type: string, status: Condition['status'], reason: string, message: string, at: string) =>
  ({ type, status, reason, message, lastTransitionTime: at }) as Condition;

const base = (minutes: number): Session => {
  const session = aSession('report-on-history-x7k2p')
    .in('demo')
    .spec({
      displayName: 'Report on the history of this repository',
      framework: { type: 'generic', version: '1' },
      trigger: { source: 'manual' },
      source: {
        type: 'upload',
        upload: { sizeBytes: 4_404_019, digest: `sha256:${'0'.repeat(64)}`, name: 'ambient-sessions' },
      },
      limits: { timeoutSeconds: 3600, gracePeriodSeconds: 30 },
    })
    .build();
  session.metadata.creationTimestamp = minutesAgo(minutes);
  return session;
};

const accepted = (at: string): Condition[] => [
  condition('PolicyValidated', 'True', 'Accepted', 'Framework generic, version 1.', at),
  condition('SourceReady', 'True', 'Uploaded', '4.2 MiB are here.', at),
  condition('WorkloadCreated', 'True', 'JobCreated', 'Job ambient-3f1c2b7e.', at),
];

const workload = (startTime: string) => ({
  jobName: 'ambient-3f1c2b7e-8d0f-4c40-9f0f-6f5d3f1f2a11',
  podName: 'ambient-3f1c2b7e-8d0f-4c40-9f0f-6f5d3f1f2a11-w9k4z',
  nodeName: 'node-1',
  image: 'registry.example/ambient-runner:0.1.0',
  resources: { cpu: '2', memory: '2Gi' },
  startTime,
});

const created = (at: string) => ({
  seq: 1,
  timestamp: at,
  event: 'Created',
  actor: 'ann@example.com',
  data: { framework: 'generic', version: '1', trigger: 'manual', source: 'upload' },
});
const started = (at: string) => ({
  seq: 2,
  timestamp: at,
  event: 'Started',
  actor: 'system:ambient-operator',
  data: { pod: 'ambient-3f1c2b7e-8d0f-4c40-9f0f-6f5d3f1f2a11-w9k4z', node: 'node-1' },
});

export function pending(): Session {
  const session = base(1);
  session.status = {
    phase: 'Pending',
    message: 'Waiting for the upload of the source (4.2 MiB).',
    conditions: [
      condition('PolicyValidated', 'True', 'Accepted', 'Framework generic, version 1.', minutesAgo(1)),
      condition(
        'SourceReady',
        'False',
        'AwaitingUpload',
        'Waiting for the upload of the source (4.2 MiB).',
        minutesAgo(1),
      ),
    ],
    history: [created(minutesAgo(1))],
  };
  return session;
}

export function awaiting(): Session {
  const session = base(3);
  session.spec = {
    ...session.spec,
    createdBy: { user: 'ann@example.com', groups: ['system:authenticated', 'team-a'] },
    framework: {
      type: 'claude-code',
      version: '2',
      config: { prompt: `Read every file.\n${SCRIPT}\nThen report.`, model: 'claude-sonnet-4-5' },
    },
    policy: {
      modelConstraints: { allowed: ['claude-*'], budget: '2.50' },
      toolConstraints: { blocked: ['WebFetch'] },
    },
  };
  session.status = {
    phase: 'Pending',
    message: 'Waiting for an approver.',
    conditions: [
      condition('PolicyValidated', 'True', 'Accepted', 'Framework claude-code, version 2.', minutesAgo(3)),
      condition('Approved', 'False', 'AwaitingApproval', 'Waiting for an approver.', minutesAgo(3)),
    ],
    history: [created(minutesAgo(3))],
  };
  return session;
}

export function rejected(): Session {
  const session = awaiting();
  const at = minutesAgo(1);
  session.status = {
    ...session.status,
    phase: 'Failed',
    message: 'Rejected by bob@example.com: Too broad',
    approval: { decision: 'Rejected', by: 'bob@example.com', at, reason: 'Too broad' },
    conditions: [
      condition('PolicyValidated', 'True', 'Accepted', 'Framework claude-code, version 2.', minutesAgo(3)),
      condition('Approved', 'False', 'Rejected', 'Rejected by bob@example.com: Too broad', at),
      condition('Failed', 'True', 'Rejected', 'Rejected by bob@example.com: Too broad', at),
    ],
  };
  return session;
}

export function inLine(): Session {
  const session = base(5);
  session.status = {
    phase: 'Pending',
    queue: { reason: 'Concurrency', position: 3, since: minutesAgo(5) },
    conditions: [
      condition('PolicyValidated', 'True', 'Accepted', 'Framework generic, version 1.', minutesAgo(5)),
      condition('Admitted', 'False', 'Concurrency', '50 of 50 sessions run.', minutesAgo(5)),
    ],
  };
  return session;
}

export function running(): Session {
  const session = base(4);
  session.status = {
    phase: 'Running',
    message: 'Running on node node-1.',
    conditions: accepted(minutesAgo(3.9)),
    workload: workload(minutesAgo(3.4)),
    history: [created(minutesAgo(4)), started(minutesAgo(3.4))],
  };
  return session;
}

export function stopping(): Session {
  const session = running();
  session.status = {
    ...session.status,
    message: 'Stopping, as bob@example.com asked.',
    stop: {
      requestedAt: minutesAgo(0.1),
      requestedBy: 'bob@example.com',
      reason: 'The prompt was wrong',
      gracePeriodSeconds: 30,
    },
  };
  return session;
}

export function completed(): Session {
  const session = base(190);
  const end = minutesAgo(184.2);
  session.status = {
    phase: 'Completed',
    message: 'The command succeeded after 5 min 12 s.',
    conditions: [
      ...accepted(minutesAgo(189.8)),
      condition('ArtifactsGenerated', 'True', 'Collected', '4 artifacts, 86 KiB.', end),
      condition('Completed', 'True', 'Succeeded', 'The command succeeded after 5 min 12 s.', end),
    ],
    workload: { ...workload(minutesAgo(189.4)), completionTime: end, exitCode: 0 },
    cost: { total: '1.84', breakdown: { 'claude-sonnet': '1.52', 'claude-haiku': '0.32' } },
    history: [
      created(minutesAgo(190)),
      started(minutesAgo(189.4)),
      {
        seq: 3,
        timestamp: end,
        event: 'Completed',
        actor: 'system:ambient-operator',
        data: { reason: 'Succeeded', message: 'The command succeeded after 5 min 12 s.', exitCode: 0 },
      },
    ],
  };
  return session;
}

export function failed(): Session {
  const session = base(60);
  const message =
    'The session needed more memory than its limit of 2Gi. Launch again with a higher spec.limits.memory.';
  const end = minutesAgo(52);
  session.status = {
    phase: 'Failed',
    message,
    conditions: [
      ...accepted(minutesAgo(59.9)),
      condition(
        'ArtifactsGenerated',
        'False',
        'Incomplete',
        'No artifacts. The run ended before it told whether these are all.',
        end,
      ),
      condition('Failed', 'True', 'OutOfMemory', message, end),
    ],
    workload: { ...workload(minutesAgo(59)), completionTime: end, exitCode: 137 },
    history: [
      created(minutesAgo(60)),
      started(minutesAgo(59)),
      {
        seq: 3,
        timestamp: end,
        event: 'Failed',
        actor: 'system:ambient-operator',
        data: { reason: 'OutOfMemory', message, exitCode: 137 },
      },
    ],
  };
  return session;
}

const artifact = (
  path: string,
  size: number,
  contentType: string,
  type: Artifact['type'] = 'output',
): Artifact => ({
  path,
  type,
  size,
  contentType,
  createdAt: minutesAgo(184.3),
  digest: `sha256:${'1'.repeat(64)}`,
});

export const artifacts: Artifact[] = [
  artifact('changes.patch', 2204, 'text/x-diff'),
  artifact('out/chart.svg', 9120, 'image/svg+xml'),
  artifact('out/report.md', 72_310, 'text/markdown; charset=utf-8'),
  artifact('out/summary.json', 804, 'application/json'),
];

export const stateOf = (session: Session, items?: readonly Artifact[]): SessionPageState => ({
  ref: { cluster: 'kind-ambient', namespace: 'demo', name: session.metadata.name, uid: 'uid' },
  view: sessionView(session, items === undefined ? {} : { artifacts: { items } }),
});

/** As an approver sees it; `refusals` as somebody else does. */
export function awaitingState(refusals: SessionRefusals = {}): SessionPageState {
  const session = awaiting();
  const facts: PageFacts = {
    refusals,
    policy: aPolicy('demo', { approval: { required: true, approvers: ['team-leads'] } }),
    budget: '2.50',
  };
  return { ...stateOf(session), refusals, view: sessionView(session, { facts }) };
}

/** Whose agent listens; `status` says how it stands. */
export function talkingState(
  status: Partial<SessionStatus> = {},
  refusals: SessionRefusals = {},
): SessionPageState {
  const session = running();
  session.status = { ...session.status, input: { open: true }, ...status };
  return { ...stateOf(session), refusals };
}

export const asks = (question: string): Pick<SessionStatus, 'conditions'> => ({
  conditions: [condition('NeedsInput', 'True', 'Asked', question, minutesAgo(1))],
});

const line = (seq: number, text: string, more: Partial<LogLine> = {}): LogLine => ({
  seq,
  time: '2030-03-04T14:03:07Z',
  type: 'output',
  text,
  stream: 'stdout',
  ...more,
});

export const logLines: LogLine[] = [
  line(1, 'Source unpacked: 4.2 MiB, 312 files.', { type: 'status', name: 'source' }),
  line(2, 'bash report.sh', { type: 'status', name: 'start' }),
  line(3, 'reading the history: 1,284 commits by 14 people'),
  line(4, 'warning: 3 commits without an author date', { stream: 'stderr' }),
  line(5, 'I will look at which files change together most often.', { type: 'assistant' }),
  line(6, 'The table of pairs grows with the square of files; a threshold keeps it small.', {
    type: 'thinking',
  }),
  line(7, 'git log --numstat --since=2.years', { type: 'tool-call', name: 'shell' }),
  line(8, '1284 commits, 8831 changed files', { type: 'tool-result', name: 'shell' }),
  line(9, 'report.md', { type: 'file-change', name: 'write' }),
  line(10, 'wrote report.md, chart.svg, summary.json'),
];

export const logOf = (lines: LogLine[], more: Partial<LogUpdate> = {}): LogUpdate => ({
  reset: true,
  lines,
  state: 'following',
  ...more,
});

/** Everything that an agent, a cluster or a colleague could put where text goes. */
export const SCRIPT = '<script>window.hacked = 1</script><img src=x onerror="window.hacked = 2">';
export const hostileLines: LogLine[] = [
  line(1, SCRIPT),
  line(2, '\x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x07a link\x1b]8;;\x07 \x1b[2J\x1b[Hand cleared'),
  line(3, 'invoice-\u202egnp.exe and \u2066isolated\u2069, zero\u200bwidth'),
  line(4, Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('')),
  line(5, 'x'.repeat(10 * 1024 * 1024)),
  line(6, 'half a pair \ud83d and a whole one 😀, a family 👩‍👩‍👧, Ünïcödé, 日本語, العربية'),
  line(7, '${alert(1)} {{constructor}} javascript:alert(1) " onmouseover="alert(1)'),
  line(8, `${'\u0301'.repeat(300)} zalgo`),
];
