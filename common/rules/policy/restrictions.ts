/** What a namespace's restrictions mean for a framework. What they mean for the pod stands where the pod is made. */
import type { FrameworkSpec } from '../../api/framework.ts';
import type { Restrictions } from './effective.ts';

/** What the evaluator needs to say that a policy forbids something. */
export interface Breach {
  /** Path in the NamespacePolicy. */
  rule: string;
  /** Path in the Session. */
  field: string;
  value: string;
  allowed: string[];
  /** Goes on after the rule. */
  because: string;
}

/** A framework executes commands unless it declares that it can be kept from that. */
export const executes = ({ executes: declared }: Pick<FrameworkSpec, 'executes'>): boolean =>
  declared ?? true;

/**
 * A framework that executes commands has no place where execution is restricted: a pod that may not execute cannot be had,
 * so it is the framework that must hold back, and says so by `executes: false`.
 *
 * @param others frameworks that a refusal can offer instead
 */
export function executionBreach(
  framework: { name: string; executes: boolean },
  { execution }: Restrictions,
  others: readonly string[] = [],
): Breach | undefined {
  if (!execution || !framework.executes) return undefined;
  return {
    rule: 'spec.tools.restrictions.execution',
    field: 'spec.framework.type',
    value: framework.name,
    allowed: others.length === 0 ? ['frameworks that execute no commands'] : [...others],
    because: 'is true, and this framework executes commands',
  };
}
