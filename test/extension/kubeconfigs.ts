/** Kubeconfig files for tests of the extension, made from that of the test cluster. JSON is YAML. */
import { readFile, writeFile } from 'node:fs/promises';
import { parse } from 'yaml';

export interface KubeconfigContext {
  name: string;
  namespace?: string;
  /** Instead of the cluster's own server. */
  server?: string;
  /** Instead of the administrator's certificate. */
  user?: object;
}

interface Source {
  clusters: [{ cluster: Record<string, unknown> }];
  users: [{ user: object }];
}

/** Writes a kubeconfig with these contexts on the cluster of `from`; the first is the current one unless said otherwise. */
export async function writeKubeconfig(
  file: string,
  from: string,
  contexts: KubeconfigContext[],
  current: string | undefined = contexts[0]?.name,
): Promise<void> {
  const { clusters, users } = parse(await readFile(from, 'utf8')) as Source;
  const [{ cluster }] = clusters;
  const content = {
    apiVersion: 'v1',
    kind: 'Config',
    ...(current === undefined ? {} : { 'current-context': current }),
    clusters: contexts.map(({ name, server }) => ({
      name,
      cluster: server === undefined ? cluster : { server },
    })),
    users: contexts.map(({ name, user }) => ({ name, user: user ?? users[0].user })),
    contexts: contexts.map(({ name, namespace }) => ({
      name,
      context: { cluster: name, user: name, ...(namespace === undefined ? {} : { namespace }) },
    })),
  };
  await writeFile(file, JSON.stringify(content, undefined, 1));
}
