/** Status conditions after the Kubernetes API conventions (sig-architecture/api-conventions.md, "Typical status properties"). */
import type { Condition } from '../api/kubernetes.ts';

/** Bytes the schema allows for a condition message; longer ones are cut with an ellipsis. */
const MESSAGE_MAX = 4096;

export const findCondition = (
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | undefined => conditions?.find((condition) => condition.type === type);

export const isTrue = (conditions: readonly Condition[] | undefined, type: string): boolean =>
  findCondition(conditions, type)?.status === 'True';

export interface ConditionChange<T extends string = string> {
  type: T;
  status: Condition['status'];
  reason: string;
  message: string;
}

/**
 * The list with one condition set, others and their order kept. lastTransitionTime moves only when the status does;
 * the same list comes back when nothing changed, so that callers can compare by identity.
 */
export function setCondition<T extends string>(
  conditions: Condition<T>[] | undefined,
  change: ConditionChange<T>,
  at: { now: string; observedGeneration?: number },
): Condition<T>[] {
  const list = conditions ?? [];
  const index = list.findIndex((condition) => condition.type === change.type);
  const before = list[index];
  const next: Condition<T> = {
    ...change,
    message: shorten(change.message, MESSAGE_MAX),
    lastTransitionTime: before?.status === change.status ? before.lastTransitionTime : at.now,
    ...(at.observedGeneration === undefined ? {} : { observedGeneration: at.observedGeneration }),
  };
  if (before === undefined) return [...list, next];
  const same =
    before.status === next.status &&
    before.reason === next.reason &&
    before.message === next.message &&
    before.observedGeneration === next.observedGeneration;
  return same ? list : list.with(index, next);
}

/** At most `max` UTF-16 units, never half of a surrogate pair, with an ellipsis where something was cut. */
export function shorten(text: string, max: number): string {
  if (text.length <= max) return text;
  const cut = text.slice(0, max - 1);
  const last = cut.charCodeAt(cut.length - 1);
  return `${last >= 0xd800 && last <= 0xdbff ? cut.slice(0, -1) : cut}…`;
}
