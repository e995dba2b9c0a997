/** Which right each operation takes: the same verbs as with kubectl. */
import { GROUP, LIVE_GROUP } from '../../../common/api/names.ts';
import type { ResourceAttributes } from '../../../common/kube/access.ts';

interface Place {
  namespace: string;
  id?: string;
}

const named = (id: string | undefined): { name?: string } => (id === undefined ? {} : { name: id });

export const rights = {
  list: ({ namespace }: Place): ResourceAttributes => ({
    verb: 'list',
    group: GROUP,
    resource: 'sessions',
    namespace,
  }),
  get: ({ namespace, id }: Place): ResourceAttributes => ({
    verb: 'get',
    group: GROUP,
    resource: 'sessions',
    namespace,
    ...named(id),
  }),
  create: ({ namespace }: Place): ResourceAttributes => ({
    verb: 'create',
    group: GROUP,
    resource: 'sessions',
    namespace,
  }),
  /** Of the live API: log, artifacts, stop, … */
  live: (verb: 'get' | 'create', subresource: string, { namespace, id }: Place): ResourceAttributes => ({
    verb,
    group: LIVE_GROUP,
    resource: 'sessions',
    subresource,
    namespace,
    ...named(id),
  }),
};
