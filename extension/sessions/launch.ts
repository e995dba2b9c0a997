/** Creates a session and brings it what it needs; whatever keeps it from being complete takes it away again. */
import type { Framework } from '../../common/api/framework.ts';
import type { Session } from '../../common/api/session.ts';
import { AmbientError } from '../../common/errors.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { isForbidden, isNotFound } from '../../common/kube/errors.ts';
import { frameworks, sessions } from '../../common/kube/resource.ts';
import type { SourceArchive } from './source-archive.ts';

export type LaunchProgress =
  { doing: 'creating' } | { doing: 'uploading'; sentBytes: number; totalBytes: number };

export interface LaunchRequest {
  client: KubeClient;
  session: Session;
  /** What goes with a source of type upload. */
  archive?: Pick<SourceArchive, 'path' | 'sizeBytes'>;
  signal: AbortSignal;
  onProgress?: (progress: LaunchProgress) => void;
}

const CLEANUP_MS = 15_000;
export const FIELD_MANAGER = 'ambient-vscode';

/** Throws KubeError or the signal's reason; then no session is left, as far as the cluster could be reached. */
export async function launchSession({
  client,
  session,
  archive,
  signal,
  onProgress,
}: LaunchRequest): Promise<Session> {
  signal.throwIfAborted();
  onProgress?.({ doing: 'creating' });
  let created: Session | undefined;
  try {
    created = await client.create(sessions, session, {
      signal,
      fieldManager: FIELD_MANAGER,
      // A mistyped field is an error, not a field that is silently left out.
      fieldValidation: 'Strict',
    });
    if (archive === undefined) return created;
    const totalBytes = archive.sizeBytes;
    onProgress?.({ doing: 'uploading', sentBytes: 0, totalBytes });
    const { uploadSource } = await import('./live.ts');
    await uploadSource({
      connection: client.connection,
      namespace: session.metadata.namespace ?? '',
      name: created.metadata.name,
      archive,
      signal,
      onProgress: (sentBytes) => onProgress?.({ doing: 'uploading', sentBytes, totalBytes }),
    });
    return created;
  } catch (error) {
    // Cancelled while the request was under way, the object may exist although no answer came.
    if (created !== undefined || signal.aborted) await takeBack(client, session, created, error);
    throw error;
  }
}

async function takeBack(
  client: KubeClient,
  session: Session,
  created: Session | undefined,
  cause: unknown,
): Promise<void> {
  const { namespace, name } = session.metadata;
  const uid = created?.metadata.uid;
  try {
    await client.delete(
      sessions,
      { namespace, name },
      { signal: AbortSignal.timeout(CLEANUP_MS), ...(uid === undefined ? {} : { preconditions: { uid } }) },
    );
  } catch (error) {
    if (isNotFound(error)) return;
    throw new AmbientError(
      'unavailable',
      `The session ${name} was created but could not be completed nor deleted.`,
      {
        cause: new AggregateError([cause, error]),
      },
    );
  }
}

/** Asks the API server whether it would accept the session, without creating it. Throws KubeError when not. */
export async function dryRun(client: KubeClient, session: Session, signal?: AbortSignal): Promise<void> {
  await client.create(sessions, session, {
    dryRun: true,
    fieldManager: FIELD_MANAGER,
    fieldValidation: 'Strict',
    ...(signal === undefined ? {} : { signal }),
  });
}

/** The cluster's registry by name; empty when one may not list it. */
export async function listFrameworks(client: KubeClient, signal?: AbortSignal): Promise<Framework[]> {
  try {
    const { items } = await client.list(frameworks, {}, signal === undefined ? {} : { signal });
    return items.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  } catch (error) {
    if (isForbidden(error)) return [];
    throw error;
  }
}
