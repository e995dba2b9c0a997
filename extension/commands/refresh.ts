/** ambient.refresh and ambient.reconnect: ask again; reconnecting also asks for credentials again. */
import type { Command } from './context.ts';
import { textField } from './context.ts';

export const refresh: Command =
  ({ tree, clusters }) =>
  async () => {
    // Reading the kubeconfig again reloads the tree as well.
    await clusters.reload();
    tree.reload();
  };

export const reconnect: Command =
  ({ clusters, tree }) =>
  async (target) => {
    const cluster = textField(target, 'cluster');
    if (cluster === undefined) return await clusters.reload();
    await clusters.reconnect(cluster);
    tree.reload();
  };
