/** The status a session shall have after this look at it: steps write here, the committer sends the difference. */
import type { Session, SessionConditionType, SessionStatus } from '../../../common/api/session.ts';
import type { Condition } from '../../../common/api/kubernetes.ts';
import { OPERATOR_ACTOR } from '../../../common/api/names.ts';
import { isTerminal } from '../../../common/api/session.ts';
import type { SessionPhase } from '../../../common/api/session.ts';
import { isTrue, setCondition, shorten } from '../../../common/rules/conditions.ts';
import type { ConditionChange } from '../../../common/rules/conditions.ts';
import { canMove } from '../../../common/rules/phase.ts';
import type { Outcome } from '../../../common/rules/outcome.ts';
import { isPassing } from './trouble.ts';
import { oneLine } from '../../../common/rules/wording.ts';

/** A history entry before it has a number and a time. */
export interface DraftEntry {
  event: string;
  actor: string;
  data?: Record<string, unknown>;
}

const MESSAGE_MAX = 1024;

export class Draft {
  readonly #session: Session;
  readonly #now: string;
  readonly entries: DraftEntry[] = [];
  #status: SessionStatus;

  /** @param now RFC 3339 */
  constructor(session: Session, now: string) {
    this.#session = session;
    this.#now = now;
    this.#status = { ...session.status };
    // It holds no longer once something is decided again.
    if (isPassing(this.#status.message)) delete this.#status.message;
  }

  get status(): SessionStatus {
    return this.#status;
  }

  get phase(): SessionPhase | undefined {
    return this.#status.phase;
  }

  condition(change: ConditionChange<SessionConditionType>): void {
    const generation = this.#session.metadata.generation;
    const at = { now: this.#now, ...(generation === undefined ? {} : { observedGeneration: generation }) };
    const conditions = (this.#status.conditions ?? []) as Condition<SessionConditionType>[];
    this.#status.conditions = setCondition(conditions, { ...change, message: oneLine(change.message) }, at);
  }

  message(text: string): void {
    this.#status.message = shorten(oneLine(text), MESSAGE_MAX);
  }

  approval(decision: NonNullable<SessionStatus['approval']>): void {
    this.#status.approval = decision;
  }

  workload(facts: NonNullable<SessionStatus['workload']>): void {
    const known = Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
    this.#status.workload = { ...this.#status.workload, ...known };
  }

  /** Undefined: its pod is made for it after all. */
  warmPod(pod: SessionStatus['warmPod']): void {
    if (pod === undefined) delete this.#status.warmPod;
    else this.#status.warmPod = pod;
  }

  /** What people say reaches its command. */
  openInput(): void {
    this.#status.input = { ...this.#status.input, open: true };
  }

  /** Undefined: it does not wait for its turn any more. */
  queue(place: SessionStatus['queue']): void {
    if (place === undefined) delete this.#status.queue;
    else this.#status.queue = place;
  }

  stop(request: NonNullable<SessionStatus['stop']>): void {
    this.#status.stop = { ...request, reason: shorten(oneLine(request.reason ?? ''), MESSAGE_MAX) };
  }

  cost(cost: NonNullable<SessionStatus['cost']>): void {
    this.#status.cost = cost;
  }

  /** Where its changes are in the repository. */
  result(facts: NonNullable<SessionStatus['result']>): void {
    this.#status.result = { ...this.#status.result, ...facts };
  }

  artifacts(artifacts: NonNullable<SessionStatus['artifacts']>): void {
    this.#status.artifacts = artifacts;
  }

  record(event: string, data?: Record<string, unknown>, actor: string = OPERATOR_ACTOR): void {
    this.entries.push({ event, actor, ...(data === undefined ? {} : { data }) });
  }

  /** Throws RangeError for a move that the API server would refuse. */
  moveTo(phase: SessionPhase): void {
    if (!canMove(this.phase, phase))
      throw new RangeError(`a session cannot go from ${this.phase} to ${phase}`);
    if (this.#status.phase === undefined) this.record('Created', createdData(this.#session));
    this.#status.phase = phase;
    if (this.#session.metadata.generation !== undefined)
      this.#status.observedGeneration = this.#session.metadata.generation;
  }

  /** The end: phase, condition, message, times and history in one. */
  finish(outcome: Outcome, completionTime?: string): void {
    this.moveTo(outcome.phase);
    if (isTrue(this.#status.conditions, 'NeedsInput'))
      this.condition({
        type: 'NeedsInput',
        status: 'False',
        reason: 'Ended',
        message: 'The session ended without an answer.',
      });
    this.condition({ type: outcome.phase, status: 'True', reason: outcome.reason, message: outcome.message });
    this.message(outcome.message);
    this.queue(undefined);
    if (this.#status.workload !== undefined)
      this.workload({
        completionTime: completionTime ?? this.#now,
        ...(outcome.exitCode === undefined ? {} : { exitCode: outcome.exitCode }),
      });
    this.record(outcome.phase, {
      reason: outcome.reason,
      message: shorten(oneLine(outcome.message), MESSAGE_MAX),
      ...(outcome.exitCode === undefined ? {} : { exitCode: outcome.exitCode }),
    });
  }

  get finished(): boolean {
    return isTerminal(this.phase);
  }
}

function createdData({ spec }: Session): Record<string, unknown> {
  const { version } = spec.framework;
  return {
    framework: spec.framework.type,
    ...(version === undefined ? {} : { version }),
    trigger: spec.trigger?.source ?? 'manual',
    source: spec.source?.type ?? 'none',
  };
}
