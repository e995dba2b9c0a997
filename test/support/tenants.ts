/** The two tenants and two people of manifests/samples/two-tenants.yaml on a cluster, each person with their own rights only. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Session } from '../../common/api/session.ts';
import type { Cluster } from '../cluster/index.ts';
import { manifests } from './deploy.ts';

/** Where the ServiceAccounts are that stand for people. */
const PEOPLE = 'demo-people';

export async function applyTenants(cluster: Cluster): Promise<void> {
  await cluster.kubectl(['apply', '-f', join(manifests, 'samples', 'two-tenants.yaml')]);
}

interface KubeconfigFile {
  clusters: { cluster: Record<string, string> }[];
}

/** Path of a kubeconfig with a context for each person; the first is the current one. Tokens last for 8 hours. */
export async function tenantsKubeconfig(cluster: Cluster, people: readonly string[]): Promise<string> {
  const own = parse(await readFile(cluster.kubeconfig, 'utf8')) as KubeconfigFile;
  const users = await Promise.all(
    people.map(async (name) => {
      const token = await cluster.kubectl(['-n', PEOPLE, 'create', 'token', name, '--duration=8h']);
      return { name, user: { token: token.trim() } };
    }),
  );
  const name = 'demo';
  const file = join(cluster.stateDir, 'people.kubeconfig');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': people[0],
    clusters: [{ name, cluster: own.clusters[0]?.cluster }],
    users,
    contexts: people.map((person) => ({ name: person, context: { cluster: name, user: person } })),
  };
  await writeFile(file, JSON.stringify(config), { mode: 0o600 });
  return file;
}

/** Name of the newest session that people see under a title. */
export async function sessionTitled(cluster: Cluster, namespace: string, title: string): Promise<string> {
  const { items } = JSON.parse(
    await cluster.kubectl([
      '-n',
      namespace,
      'get',
      'sessions',
      '--sort-by=.metadata.creationTimestamp',
      '-o',
      'json',
    ]),
  ) as { items: Session[] };
  const found = items.findLast(({ spec }) => spec.displayName === title);
  if (found === undefined) throw new Error(`no session "${title}" in ${namespace}`);
  return found.metadata.name;
}
