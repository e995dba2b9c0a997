/** People on a cluster: a kubeconfig with one context a person, each with that person's rights only. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Cluster } from '../cluster/index.ts';

export interface Person {
  /** Name of the context, and of the ServiceAccount that stands for the person. */
  name: string;
  namespace: string;
}

/** User name by which the API server knows the person. */
export const userOf = ({ name, namespace }: Person): string => `system:serviceaccount:${namespace}:${name}`;

interface KubeconfigFile {
  clusters: { cluster: Record<string, string> }[];
}

/** Writes `people.kubeconfig` beside the cluster's own; the first person is the current context. Tokens last for 8 hours. */
export async function peopleKubeconfig(
  cluster: Cluster,
  folder: string,
  people: readonly Person[],
): Promise<string> {
  const own = parse(await readFile(cluster.kubeconfig, 'utf8')) as KubeconfigFile;
  const name = 'demo';
  const users = await Promise.all(
    people.map(async (person) => ({
      name: person.name,
      user: {
        token: (
          await cluster.kubectl(['-n', person.namespace, 'create', 'token', person.name, '--duration=8h'])
        ).trim(),
      },
    })),
  );
  const file = join(folder, 'people.kubeconfig');
  await writeFile(
    file,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': people[0]?.name,
      clusters: [{ name, cluster: own.clusters[0]?.cluster }],
      users,
      contexts: people.map((person) => ({
        name: person.name,
        context: { cluster: name, user: person.name },
      })),
    }),
    { mode: 0o600 },
  );
  return file;
}
