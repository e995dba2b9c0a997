/** The steps of a session's life, each with how far it is. Pure. */
import type { StepState, TimelineStep } from '../../common/api/panels.ts';
import type { Session, SessionConditionType } from '../../common/api/session.ts';
import { findCondition } from '../../common/rules/conditions.ts';
import type { FailureReason } from '../../common/rules/outcome.ts';
import { isFinished } from '../sessions/state.ts';

type StepId = TimelineStep['id'];

interface Step {
  id: StepId;
  label: string;
  at: string | undefined;
  state: StepState;
  detail: string | undefined;
}

/** Failures that belong to another step than the one at which the session stood when it failed. */
const FAILED_AT: Partial<Record<FailureReason | 'Rejected', StepId>> = {
  Rejected: 'approval',
  TooLarge: 'validated',
  UnknownFramework: 'validated',
  UnknownFrameworkVersion: 'validated',
  InvalidFramework: 'validated',
  InvalidConfig: 'validated',
  // The runner clones: the workload runs by then.
  SourceUnavailable: 'source',
  WorkloadRejected: 'workload',
  StorageFull: 'artifacts',
  ArtifactsIncomplete: 'artifacts',
};

const CONDITION_STEPS: readonly { id: StepId; label: string; condition: SessionConditionType }[] = [
  { id: 'validated', label: 'Validated', condition: 'PolicyValidated' },
  { id: 'approval', label: 'Approval', condition: 'Approved' },
  { id: 'source', label: 'Source', condition: 'SourceReady' },
  { id: 'turn', label: 'Turn', condition: 'Admitted' },
  { id: 'workload', label: 'Workload', condition: 'WorkloadCreated' },
];

export function timelineOf(session: Session): TimelineStep[] {
  const { metadata, status } = session;
  const steps: Step[] = [
    { id: 'created', label: 'Created', at: metadata.creationTimestamp, state: 'done', detail: undefined },
    ...CONDITION_STEPS.filter((step) => applies(session, step)).map(({ id, label, condition }) =>
      conditionStep(session, id, label, condition),
    ),
    {
      id: 'running',
      label: 'Running',
      at: status?.workload?.startTime,
      state: status?.workload?.startTime === undefined ? 'waiting' : isFinished(session) ? 'done' : 'active',
      detail: undefined,
    },
    conditionStep(session, 'artifacts', 'Artifacts', 'ArtifactsGenerated'),
  ];
  // What came later tells of what came before, should nobody have said so.
  const reached = steps.findLastIndex(({ state }) => state !== 'waiting');
  for (const step of steps.slice(0, reached)) if (step.state === 'waiting') step.state = 'done';
  if (isFinished(session)) return withDurations([...ended(session, steps), endStep(session)]);
  const next = steps.find(({ state }) => state === 'waiting' || state === 'active');
  if (next !== undefined && next.id !== 'artifacts') next.state = 'active';
  return withDurations([
    ...steps,
    { id: 'end', label: 'Completed', at: undefined, state: 'waiting', detail: undefined },
  ]);
}

/** Most sessions need no approval and get their turn at once: those steps are shown where there was something to wait for. */
function applies({ status }: Session, { id, condition: type }: (typeof CONDITION_STEPS)[number]): boolean {
  const condition = findCondition(status?.conditions, type);
  switch (id) {
    case 'approval':
      return status?.approval !== undefined || condition?.status === 'False';
    case 'turn':
      return status?.queue !== undefined || condition?.status === 'False';
    default:
      return true;
  }
}

function conditionStep(
  { spec, status }: Session,
  id: StepId,
  label: string,
  type: SessionConditionType,
): Step {
  const condition = findCondition(status?.conditions, type);
  const done = condition?.status === 'True';
  const skipped =
    done &&
    ((id === 'source' && (spec.source?.type ?? 'none') === 'none') || condition.reason === 'NoArtifacts');
  return {
    id,
    label,
    at: done ? condition.lastTransitionTime : undefined,
    state: skipped ? 'skipped' : done ? 'done' : 'waiting',
    detail: skipped
      ? id === 'source'
        ? 'Not needed'
        : 'None'
      : condition === undefined || done
        ? undefined
        : condition.message,
  };
}

/** After the end nothing waits any more: what was not reached failed or was left out. */
function ended({ status }: Session, steps: readonly Step[]): Step[] {
  const reason = findCondition(status?.conditions, 'Failed')?.reason ?? '';
  const failed = status?.phase === 'Failed';
  const stopped = failed && reason === 'Stopped';
  const culprit = failed
    ? (Object.entries(FAILED_AT).find(([known]) => known === reason)?.[1] ??
      steps.find(({ id, state }) => state === 'waiting' || id === 'running')?.id)
    : undefined;
  return steps.map((step) => {
    if (step.id === culprit) return { ...step, state: stopped ? 'stopped' : 'failed', detail: undefined };
    if (step.state !== 'waiting') return step;
    // Not all artifacts were kept, which is not what the session failed for.
    if (step.id === 'artifacts' && findCondition(status?.conditions, 'ArtifactsGenerated') !== undefined)
      return { ...step, state: 'failed', detail: 'Incomplete' };
    return { ...step, state: 'skipped', detail: undefined };
  });
}

function endStep({ status }: Session): Step {
  const phase = status?.phase === 'Completed' ? 'Completed' : 'Failed';
  const condition = findCondition(status?.conditions, phase);
  const stopped = condition?.reason === 'Stopped';
  return {
    id: 'end',
    label: stopped ? 'Stopped' : phase,
    at: condition?.lastTransitionTime ?? status?.workload?.completionTime,
    state: phase === 'Completed' ? 'done' : stopped ? 'stopped' : 'failed',
    detail: undefined,
  };
}

/** Times come from several clocks and in whole seconds: a step never seems to end before it began. */
function withDurations(steps: readonly Step[]): TimelineStep[] {
  return steps.map(({ id, label, state, at, detail }, index) => {
    const next = steps.slice(index + 1).find((step) => step.at !== undefined)?.at;
    const durationMs =
      at === undefined || next === undefined ? undefined : Math.max(0, Date.parse(next) - Date.parse(at));
    return {
      id,
      label,
      state,
      ...(at === undefined ? {} : { at }),
      ...(durationMs === undefined || Number.isNaN(durationMs) ? {} : { durationMs }),
      ...(detail === undefined ? {} : { detail }),
    };
  });
}
