/** The live API as the extension uses it. Brings the schemas along: `await import` it. */
import { livePaths } from '../../common/api/live.ts';
import type {
  ApprovalDecision,
  Artifact,
  ArtifactList,
  BudgetRaised,
  MessageAccepted,
  Resumed,
  ResumeRequest,
  StopAccepted,
  StopRequest,
} from '../../common/api/live.ts';
import { SOURCE_BYTES_MAX } from '../../common/api/session.ts';
import type { Connection } from '../../common/kube/connection.ts';
import type { SessionRef } from './session-ref.ts';

export { SOURCE_BYTES_MAX };
export { uploadSource } from './upload.ts';

/** All of a session's artifacts, ordered by path. Throws KubeError. */
export async function listArtifacts(
  connection: Connection,
  { namespace, name }: SessionRef,
  signal?: AbortSignal,
): Promise<Artifact[]> {
  const list = await connection.json<ArtifactList>(livePaths.artifacts(namespace, name), { signal });
  return list.items;
}

/** Asks for the end of a session; its state tells when it came. Throws KubeError, `already_finished` in causeCode. */
export function stopSession(
  connection: Connection,
  { namespace, name }: SessionRef,
  request: StopRequest,
  signal?: AbortSignal,
): Promise<StopAccepted> {
  return connection.json<StopAccepted>(livePaths.stop(namespace, name), {
    method: 'POST',
    body: request,
    signal,
  });
}

/** Says something to a session. `id`: sent again with it, it is taken once. Throws KubeError. */
export function sendMessage(
  connection: Connection,
  { namespace, name }: SessionRef,
  { id, text }: { id: string; text: string },
  signal?: AbortSignal,
): Promise<MessageAccepted> {
  return connection.json<MessageAccepted>(livePaths.message(namespace, name), {
    method: 'POST',
    body: { id, text },
    signal,
  });
}

/** Asks the agent of a session to leave off what it does. Throws KubeError. */
export function interruptSession(
  connection: Connection,
  { namespace, name }: SessionRef,
  id: string,
  signal?: AbortSignal,
): Promise<MessageAccepted> {
  return connection.json<MessageAccepted>(livePaths.interrupt(namespace, name), {
    method: 'POST',
    body: { id },
    signal,
  });
}

/** Launches a session that goes on from one that has ended. Throws KubeError. */
export function resumeSession(
  connection: Connection,
  { namespace, name }: SessionRef,
  request: ResumeRequest,
  signal?: AbortSignal,
): Promise<Resumed> {
  return connection.json<Resumed>(livePaths.resume(namespace, name), {
    method: 'POST',
    body: request,
    signal,
  });
}

/** Lets a session spend up to `limit` USD in all. Throws KubeError. */
export function raiseBudget(
  connection: Connection,
  { namespace, name }: SessionRef,
  limit: string,
  signal?: AbortSignal,
): Promise<BudgetRaised> {
  return connection.json<BudgetRaised>(livePaths.budget(namespace, name), {
    method: 'POST',
    body: { limit },
    signal,
  });
}

/** Approves or rejects, `reason` may be empty for the former. Throws KubeError. */
export function decideOn(
  connection: Connection,
  { namespace, name }: SessionRef,
  decision: 'approve' | 'reject',
  reason: string,
  signal?: AbortSignal,
): Promise<ApprovalDecision> {
  return connection.json<ApprovalDecision>(livePaths[decision](namespace, name), {
    method: 'POST',
    body: reason === '' ? {} : { reason },
    signal,
  });
}
