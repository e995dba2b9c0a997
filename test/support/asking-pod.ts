/** The pod of a session as the runners' door sees it: where it reports to, and a token of its own, whether it runs or not. */
import { ANNOTATION_RUN, TOKEN_AUDIENCE } from '../../common/api/names.ts';
import type { RunDescription } from '../../common/api/runner.ts';
import type { Session } from '../../common/api/session.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import type { Server } from './https.ts';
import { workloadOf } from './sessions.ts';
import { until } from './until.ts';

export interface AskingPod {
  server: Server;
  token: string;
}

/** Waits until there is one. */
export async function askingPod(
  client: KubeClient,
  session: Session,
  at: { host: string; port: number },
  audience = TOKEN_AUDIENCE,
): Promise<AskingPod> {
  const pod = await until(
    async () => (await workloadOf(client, session)).pods[0],
    `${session.metadata.name} has a pod`,
  );
  const { namespace = '', name, annotations, uid } = pod.metadata;
  const { endpoint } = JSON.parse(annotations?.[ANNOTATION_RUN] ?? '{}') as RunDescription;
  const { status } = await client.connection.json<{ status: { token: string } }>(
    `/api/v1/namespaces/${namespace}/serviceaccounts/ambient-runner/token`,
    {
      method: 'POST',
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: {
          audiences: [audience],
          expirationSeconds: 600,
          boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name, uid },
        },
      },
    },
  );
  return { server: { ...at, ca: endpoint.ca }, token: status.token };
}
