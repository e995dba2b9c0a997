/** What the person may not do is said before they are asked anything; what the API server refuses is remembered. */
import { isForbidden } from '../../common/kube/errors.ts';
import type { Right } from '../clusters/rights.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import type { CommandContext } from './context.ts';

type Place = Pick<SessionRef, 'cluster' | 'namespace'>;

/** Those of the sessions with which it may be done; for the others the person is told why not. */
export async function permitted<T extends Place>(
  { rights, notify }: Pick<CommandContext, 'rights' | 'notify'>,
  refs: readonly T[],
  right: Right,
): Promise<T[]> {
  const refusals = await Promise.all(
    refs.map(({ cluster, namespace }) => rights.refusal(cluster, namespace, right)),
  );
  for (const refusal of new Set(refusals)) if (refusal !== undefined) notify.warn(refusal);
  return refs.filter((_, index) => refusals[index] === undefined);
}

/** To be called with what went wrong: after a refusal the rights are asked for anew. */
export function noteRefusal(
  { rights }: Pick<CommandContext, 'rights'>,
  { cluster, namespace }: Place,
  error: unknown,
): void {
  if (isForbidden(error)) rights.forget(cluster, namespace);
}
