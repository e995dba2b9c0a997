/** Rights that were just given: the API server hears of its own bindings by a watch, and refuses until then. */
import type { Cluster } from '../cluster/index.ts';
import { until } from './until.ts';

/** Waits until a user may see the sessions of a namespace, as by every role of the operator's; what was bound before holds then, too. */
export const rightsAreKnown = (cluster: Cluster, user: string, namespace: string): Promise<unknown> =>
  until(
    () =>
      cluster.kubectl(['auth', 'can-i', 'get', 'sessions.ambient.ai', '-n', namespace, '--as', user]).then(
        () => true,
        () => false,
      ),
    `${user} may see ${namespace}`,
  );
