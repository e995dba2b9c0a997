/** After the end: a workload that the operator gave up on must not go on running. Idempotent, so a crash cannot skip it. */
import { isConflict, isNotFound } from '../../../common/kube/errors.ts';
import { jobs } from '../../../common/kube/resource.ts';
import { jobRecord } from './change-record.ts';
import type { Look, StepResult } from './step.ts';

/** How long the Job controller may take to see that a pod is over, before its Job counts as going on. */
const SETTLE_MS = 10_000;

export async function reap(look: Look): Promise<StepResult> {
  const { job, pod, uid, session, controller, signal } = look;
  if (job === undefined || job.metadata.deletionTimestamp !== undefined) return 'continue';
  const over = job.status?.conditions?.some(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  );
  const podOver = pod?.status?.phase === 'Succeeded' || pod?.status?.phase === 'Failed';
  if (over === true || podOver) return 'continue';
  if (pod === undefined) {
    const now = controller.clock.elapsed();
    const { since } = controller.memory.trouble(uid, 'settling', '', now);
    if (since + SETTLE_MS > now) return { lookAgainMs: since + SETTLE_MS - now };
  }
  const { namespace = '', name, uid: jobUid } = job.metadata;
  await controller.audit.record(jobRecord('delete', session, name));
  try {
    await controller.client.delete(
      jobs,
      { namespace, name },
      {
        propagationPolicy: 'Background',
        ...(jobUid === undefined ? {} : { preconditions: { uid: jobUid } }),
        signal,
      },
    );
    controller.log.info(
      { namespace, session: session.metadata.name, job: name },
      'deleted the job of a finished session',
    );
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
  return 'continue';
}
