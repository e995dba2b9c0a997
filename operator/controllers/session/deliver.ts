/** Step after the end: what the session has made goes to its tenant's bucket too, where it asked for that. */
import { findCondition } from '../../../common/rules/conditions.ts';
import { count } from '../../../common/rules/wording.ts';
import type { Look, StepResult } from './step.ts';

/** After so long it is left to people. */
const GIVEN_UP_MS = 86_400_000;

export function deliver({ session, draft, controller }: Look): StepResult {
  const { storage } = session.spec.artifacts ?? {};
  const { conditions, artifacts, workload } = session.status ?? {};
  if (storage === undefined || (artifacts?.count ?? 0) === 0) return 'done';
  const standing = findCondition(conditions, 'ArtifactsDelivered');
  if (standing?.status === 'True' || standing?.reason === 'GivenUp') return 'done';
  const delivery = controller.exporter.deliver(session, storage);
  if (delivery.state === 'waiting') return { lookAgainMs: delivery.againMs };
  if (delivery.state === 'delivered') {
    draft.condition({
      type: 'ArtifactsDelivered',
      status: 'True',
      reason: 'Delivered',
      message: `${count(delivery.count, 'file')} in ${delivery.location}`,
    });
    return 'done';
  }
  const endedAt = Date.parse(workload?.completionTime ?? '');
  const isOver = controller.clock.now() - endedAt > GIVEN_UP_MS;
  draft.condition({
    type: 'ArtifactsDelivered',
    status: 'False',
    reason: isOver ? 'GivenUp' : 'NotDelivered',
    message: `${delivery.problem}.${isOver ? '' : ' It is tried again.'}`,
  });
  // The write brings the next look.
  return { lookAgainMs: 1000 };
}
