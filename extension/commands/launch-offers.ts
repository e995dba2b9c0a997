/** What the launch form offers to choose from: contexts, namespaces, frameworks, folders, the repository at hand. */
import { basename } from 'node:path';
import * as vscode from 'vscode';
import { offeredContexts } from '../clusters/chosen-contexts.ts';
import { listNamespaces } from '../clusters/namespaces.ts';
import { pinnedIn } from '../clusters/pinned.ts';
import { NoNamespaces } from '../clusters/problem.ts';
import { settings } from '../ide/settings.ts';
import { gitLine } from '../sessions/git.ts';
import { suggestedGitUrl } from '../sessions/input-checks.ts';
import { listFrameworks } from '../sessions/launch.ts';
import type { LaunchOffers } from '../sessions/launch-draft.ts';
import type { LaunchPolicy } from '../sessions/policy-check.ts';
import type { CommandContext } from './context.ts';

const GIT_MS = 5000;

export function launchOffers(context: CommandContext): LaunchOffers {
  const { clusters, notify, rights } = context;
  return {
    clusters: () => offeredClusters(clusters),
    namespaces: async (cluster) => {
      const client = await clusters.client(cluster);
      const contextNamespace = (await clusters.contexts()).find(({ name }) => name === cluster)?.namespace;
      const pinned = pinnedIn(settings.namespaces(), cluster);
      const suggested = contextNamespace ?? pinned[0];
      try {
        const listing = await listNamespaces(client, { pinned, contextNamespace, empty: 'show' });
        return {
          names: listing.shown.map(({ name }) => name),
          incomplete: listing.incomplete,
          ...(suggested === undefined ? {} : { suggested }),
        };
      } catch (error) {
        if (error instanceof NoNamespaces) return { names: [], incomplete: true };
        throw error;
      }
    },
    frameworks: async (cluster) => listFrameworks(await clusters.client(cluster)),
    refusal: (cluster, namespace) => rights.refusal(cluster, namespace, 'launch'),
    policy: (cluster, namespace) => launchPolicy(context, cluster, namespace),
    folders: workspaceFolders,
    ...(vscode.workspace.isTrusted ? {} : { foldersRefused: 'Trust this workspace to send its folder.' }),
    repository: async () => {
      const [folder] = workspaceFolders();
      if (folder === undefined) return {};
      const options = { folder: folder.path, env: process.env, signal: AbortSignal.timeout(GIT_MS) };
      try {
        const [remote, branch] = await Promise.all([
          gitLine(['remote', 'get-url', 'origin'], options),
          gitLine(['symbolic-ref', '--short', '--quiet', 'HEAD'], options),
        ]);
        const url = suggestedGitUrl(remote);
        return url === undefined ? {} : { url, ...(branch === undefined ? {} : { ref: branch }) };
      } catch (error) {
        notify.log('looking for a git remote', error);
        return {};
      }
    },
  };
}

/** Undefined when it cannot be read now: the API server knows it anyway. */
export async function launchPolicy(
  { policies, notify }: Pick<CommandContext, 'policies' | 'notify'>,
  cluster: string,
  namespace: string,
): Promise<LaunchPolicy | undefined> {
  try {
    const [found, { LaunchPolicy }] = await Promise.all([
      policies.of(cluster, namespace),
      import('../sessions/policy-check.ts'),
    ]);
    return new LaunchPolicy(found);
  } catch (error) {
    notify.log(`reading the policy of ${namespace}`, error);
    return undefined;
  }
}

/** Rejects with NoContexts. */
async function offeredClusters(clusters: CommandContext['clusters']): Promise<string[]> {
  return offeredContexts(await clusters.kubeconfig(), settings.contexts()).map(({ name }) => name);
}

/** Folders on disk; none in a workspace that is not trusted, since git reads configuration from them. */
export function workspaceFolders(): { name: string; path: string }[] {
  if (!vscode.workspace.isTrusted) return [];
  return (vscode.workspace.workspaceFolders ?? [])
    .filter(({ uri }) => uri.scheme === 'file')
    .map(({ name, uri }) => ({ name: name === '' ? basename(uri.fsPath) : name, path: uri.fsPath }));
}
