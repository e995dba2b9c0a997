/** The user's kubeconfig as the tools see it. */
import { randomUUID } from 'node:crypto';
import { AmbientError } from '../../common/errors.ts';
import type { Clusters } from '../clusters/clusters.ts';
import type { ToolWorld } from './tool.ts';

export const toolWorld = (clusters: Pick<Clusters, 'kubeconfig' | 'client'>): ToolWorld => ({
  place: async (cluster, namespace) => {
    const { contexts, currentContext } = await clusters.kubeconfig();
    const name = cluster ?? currentContext;
    if (name === undefined)
      throw new AmbientError('kubeconfig_invalid', 'the kubeconfig names no current context: name a cluster');
    const own = contexts.find((context) => context.name === name)?.namespace;
    return { cluster: name, namespace: namespace ?? own ?? 'default', client: await clusters.client(name) };
  },
  newName: () => randomUUID(),
});
