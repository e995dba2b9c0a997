/** What an approver is shown of a session that waits for them: who asks for what, and within which limits. Pure. */
import type { ApprovalView, Fact } from '../../common/api/panels.ts';
import type { Session } from '../../common/api/session.ts';
import { formatBytes, formatDuration } from '../../common/rules/wording.ts';
import { approversText } from '../sessions/approval.ts';
import { triggerText, waitsForApproval } from '../sessions/state.ts';
import type { PageFacts } from './page-facts.ts';

/** Fields of a framework's configuration that say what is to be done; they are shown in full, line by line. */
const TASK_FIELDS = ['prompt', 'command', 'task', 'script', 'instructions'];

export function approvalView(session: Session, facts: PageFacts | undefined): ApprovalView | undefined {
  const { approval } = session.status ?? {};
  if (approval === undefined && !waitsForApproval(session)) return undefined;
  const { framework, source, limits, policy } = session.spec;
  const config = Object.entries(framework.config ?? {});
  const asked: [string, string | undefined][] = [
    ['Launched by', launcherOf(session)],
    ['Trigger', triggerText(session)],
    ['Caused by', facts?.cause?.who],
    ['About', facts?.cause?.what],
    [
      'Framework',
      framework.version === undefined ? framework.type : `${framework.type} ${framework.version}`,
    ],
    ...config
      .filter(([name]) => !TASK_FIELDS.includes(name))
      .map(([name, value]): [string, string] => [name, textOf(value)]),
    ['Source', sourceText(source)],
    ['Limits', limitsText(limits)],
    ['Budget', budgetText(facts)],
    ['Models', policy?.modelConstraints?.allowed?.join(', ')],
    ['Tools', policy?.toolConstraints?.allowed?.join(', ')],
    ['Tools blocked', policy?.toolConstraints?.blocked?.join(', ')],
  ];
  return {
    state: approval === undefined ? 'waiting' : approval.decision === 'Approved' ? 'approved' : 'rejected',
    tasks: config
      .filter(([name]) => TASK_FIELDS.includes(name))
      .map(([label, value]) => ({ label, value: textOf(value) })),
    asked: asked.flatMap(([label, value]): Fact[] =>
      value === undefined || value === '' ? [] : [{ label, value }],
    ),
    approvers:
      facts === undefined || facts.policy === 'unknown'
        ? 'Not known: you may not see the policy of the namespace.'
        : approversText(facts.policy?.spec.approval),
    ...(approval === undefined
      ? {}
      : {
          decision: {
            by: approval.by,
            at: approval.at,
            ...(approval.reason === undefined ? {} : { reason: approval.reason }),
          },
        }),
  };
}

/** Undefined for an event's session: the operator made it, for whoever caused the event. */
export function launcherOf({ spec }: Pick<Session, 'spec'>): string | undefined {
  if (spec.trigger?.received !== undefined) return undefined;
  const { user, groups = [] } = spec.createdBy ?? {};
  // Groups that Kubernetes gives to everybody say nothing about somebody.
  const telling = groups.filter((group) => !group.startsWith('system:'));
  return user === undefined || telling.length === 0 ? user : `${user} (${telling.join(', ')})`;
}

/** That nothing is known of a limit does not mean that there is none. */
function budgetText(facts: PageFacts | undefined): string {
  if (facts?.budget !== undefined) return `$${facts.budget}`;
  return facts === undefined || facts.policy === 'unknown' ? 'not known' : 'not limited';
}

const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value, null, 2);

export function sourceText(source: Session['spec']['source']): string {
  switch (source?.type) {
    case 'upload': {
      const { name, sizeBytes = 0 } = source.upload ?? {};
      return `${name ?? 'upload'} (${formatBytes(sizeBytes)})`;
    }
    case 'git':
      return [source.git?.url, source.git?.ref].filter(Boolean).join(' at ');
    case 'none':
    case undefined:
      return 'none';
  }
}

function limitsText(limits: Session['spec']['limits']): string | undefined {
  if (limits === undefined) return undefined;
  const { timeoutSeconds, cpu, memory, storage } = limits;
  return [
    formatDuration(timeoutSeconds * 1000),
    cpu === undefined ? '' : `${cpu} CPU`,
    memory === undefined ? '' : `${memory} memory`,
    storage === undefined ? '' : `${storage} storage`,
  ]
    .filter(Boolean)
    .join(', ');
}
