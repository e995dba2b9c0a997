/** Sessions on a test cluster as a user meets them: launched, waited for, their log and artifacts read. */
import { livePaths } from '../../common/api/live.ts';
import type { Artifact, ArtifactList } from '../../common/api/live.ts';
import { isTerminal } from '../../common/api/session.ts';
import type { Session } from '../../common/api/session.ts';
import { LABEL_SESSION_UID } from '../../common/api/names.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import type { Job, Pod } from '../../common/kube/core-types.ts';
import { jobs, pods, sessions } from '../../common/kube/resource.ts';
import { findCondition } from '../../common/rules/conditions.ts';
import { aSession } from './fixtures.ts';
import type { SessionBuilder } from './fixtures.ts';
import { until } from './until.ts';

let counter = 0;

/** A command session with a short deadline. */
export const aCommand = (namespace: string, command: string, name = `s${++counter}`): SessionBuilder =>
  aSession(name)
    .in(namespace)
    .of('generic', { command })
    .spec({ limits: { timeoutSeconds: 60, gracePeriodSeconds: 2, memory: '256Mi' } });

export const launch = (client: KubeClient, builder: SessionBuilder): Promise<Session> =>
  client.create(sessions, builder.toCreate());

export const current = ({ metadata }: Session, client: KubeClient): Promise<Session> =>
  client.get(sessions, { namespace: metadata.namespace, name: metadata.name });

/** Waits for any of the phases and returns the session in it. */
export async function inPhase(
  client: KubeClient,
  session: Session,
  wanted: (session: Session) => boolean,
  what: string,
  timeoutMs = 45_000,
): Promise<Session> {
  let last: Session = session;
  try {
    return await until(
      async () => {
        last = await current(session, client);
        return wanted(last) ? last : undefined;
      },
      what,
      timeoutMs,
      100,
    );
  } catch (error) {
    throw new Error(`${String(error)}; its status: ${JSON.stringify(last.status)}`, { cause: error });
  }
}

export const finished = (client: KubeClient, session: Session, timeoutMs?: number): Promise<Session> =>
  inPhase(
    client,
    session,
    ({ status }) => isTerminal(status?.phase),
    `${session.metadata.name} is over`,
    timeoutMs,
  );

export const running = (client: KubeClient, session: Session): Promise<Session> =>
  inPhase(client, session, ({ status }) => status?.phase === 'Running', `${session.metadata.name} runs`);

/** Phase and reason, as `Failed/OutOfMemory`. */
export function endOf({ status }: Session): string {
  const phase = status?.phase ?? '';
  return `${phase}/${findCondition(status?.conditions, phase)?.reason ?? ''}`;
}

async function textOf(client: KubeClient, path: string): Promise<string> {
  const { body } = await client.connection.stream(path);
  let text = '';
  for await (const chunk of body) text += String(chunk);
  return text;
}

export const logOf = (client: KubeClient, { metadata }: Session): Promise<string> =>
  textOf(client, livePaths.log(metadata.namespace ?? '', metadata.name, { format: 'text' }));

export const artifactText = (client: KubeClient, { metadata }: Session, path: string): Promise<string> =>
  textOf(client, livePaths.artifact(metadata.namespace ?? '', metadata.name, path));

export async function artifactsOf(client: KubeClient, { metadata }: Session): Promise<Artifact[]> {
  const path = livePaths.artifacts(metadata.namespace ?? '', metadata.name);
  return (await client.connection.json<ArtifactList>(path)).items;
}

export const stopSession = (client: KubeClient, { metadata }: Session, body: object = {}): Promise<unknown> =>
  client.connection.json(livePaths.stop(metadata.namespace ?? '', metadata.name), { method: 'POST', body });

export async function workloadOf(
  client: KubeClient,
  { metadata }: Session,
): Promise<{ jobs: Job[]; pods: Pod[] }> {
  const at = { namespace: metadata.namespace };
  const labelSelector = `${LABEL_SESSION_UID}=${metadata.uid}`;
  const [jobList, podList] = await Promise.all([
    client.list(jobs, at, { labelSelector }),
    client.list(pods, at, { labelSelector }),
  ]);
  return { jobs: jobList.items, pods: podList.items };
}
