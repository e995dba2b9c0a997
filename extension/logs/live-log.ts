/** The live API as a LogSource. Brings the schemas along: `await import` it. */
import { livePaths } from '../../common/api/live.ts';
import { isTerminal } from '../../common/api/session.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { isForbidden, isNotFound, isUnauthorized } from '../../common/kube/errors.ts';
import { sessions } from '../../common/kube/resource.ts';
import { isOperatorAway } from '../clusters/problem.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import type { LogSource } from './follow-records.ts';

/** `client` is asked each time: a reload of the kubeconfig replaces connections. */
export function liveLog(client: () => Promise<KubeClient>, ref: SessionRef): LogSource {
  return {
    open: async (query, signal) => {
      const { connection } = await client();
      const path = livePaths.log(ref.namespace, ref.name, query);
      return (await connection.stream(path, { signal, accept: 'application/x-ndjson' })).body;
    },
    isFinished: async (signal) => {
      try {
        const { metadata, status } = await (await client()).get(sessions, ref, { signal });
        // A later session of the same name is not this one.
        if (ref.uid !== undefined && metadata.uid !== ref.uid) return undefined;
        return isTerminal(status?.phase);
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
    verdict: (error) => {
      // Nobody serves the live API at the moment: the operator may be starting.
      if (isOperatorAway(error)) return 'retry';
      if (isNotFound(error)) return 'gone';
      return isForbidden(error) || isUnauthorized(error) ? 'fatal' : 'retry';
    },
  };
}
