/** Step: wait until what the session shall work on is there. */
import { failed } from '../../../common/rules/outcome.ts';
import { findCondition, isTrue } from '../../../common/rules/conditions.ts';
import { formatBytes, formatDuration } from '../../../common/rules/wording.ts';
import type { Look, StepResult } from './step.ts';

/** The door that takes uploads may be another replica's, which cannot wake this one. */
const POLL_MS = 5000;

export async function source(look: Look): Promise<StepResult> {
  const { session, draft, controller } = look;
  if (look.job !== undefined && isTrue(session.status?.conditions, 'SourceReady')) return 'continue';

  const { source: wanted } = session.spec;
  const ready = (reason: string, message: string): StepResult => {
    draft.condition({ type: 'SourceReady', status: 'True', reason, message });
    return 'continue';
  };
  if (wanted?.type === 'git') return ready('FetchedAtStart', `The runner clones ${wanted.git?.url ?? ''}.`);
  if (wanted?.type !== 'upload') return ready('NotNeeded', 'The session starts with an empty workspace.');
  const size = formatBytes(wanted.upload?.sizeBytes ?? 0);
  // There is no Job before its source.
  if (look.job !== undefined || (await controller.records.sourceReady(session)))
    return ready('Uploaded', `${size} are here.`);

  const waiting = findCondition(session.status?.conditions, 'SourceReady');
  const patience = controller.settings.sourcePatienceMs;
  // Until the condition is written nothing has been waited for; its time is by this operator's own clock.
  const waited = waiting === undefined ? 0 : controller.clock.now() - Date.parse(waiting.lastTransitionTime);
  if (waited >= patience) {
    const message = `The source (${size}) did not arrive within ${formatDuration(patience)}. Launch again and keep the editor open until the upload is done.`;
    draft.condition({ type: 'SourceReady', status: 'False', reason: 'UploadTimedOut', message });
    draft.finish(failed('SourceUnavailable', message));
    return 'done';
  }
  const message = `Waiting for the upload of the source (${size}).`;
  draft.condition({ type: 'SourceReady', status: 'False', reason: 'AwaitingUpload', message });
  if (draft.phase === undefined) draft.moveTo('Pending');
  draft.message(message);
  return { lookAgainMs: Math.min(POLL_MS, patience - waited) };
}
