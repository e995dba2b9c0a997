/** Where the caller may see sessions. Kubernetes is asked about each namespace; who may everywhere is asked about once. */
import { listNamespaces } from '../../../../common/api/rest/operations.ts';
import type { NamespaceEntry, NamespaceList } from '../../../../common/api/rest/session.ts';
import type { Listings } from '../../../sessions/listing.ts';
import type { Namespaces } from '../../../sessions/namespaces.ts';
import type { Policies } from '../../../sessions/policies.ts';
import { policySummaryOf } from '../../../sessions/policy-summary.ts';
import type { Caller } from '../../identity/caller.ts';
import type { Guard } from '../door.ts';
import { etagOf, isUnchanged } from '../etag.ts';
import { rights } from '../rights.ts';
import { addService, service } from '../routes.ts';
import type { RestScope } from '../scope.ts';

export interface NamespaceServicesOptions {
  namespaces: Namespaces;
  policies: Policies;
  listings: Listings;
}

type Permission = NamespaceEntry['permission'];

/** Questions to the API server at a time. */
const AT_ONCE = 16;
/** Kubernetes' own way to say all namespaces. */
const EVERYWHERE = { namespace: '' };

export function addNamespaceServices(
  scope: RestScope,
  guard: Guard,
  { namespaces, policies, listings }: NamespaceServicesOptions,
): void {
  addService(
    scope,
    guard,
    service({
      operation: listNamespaces,
      handle: async ({ query: { permission, search = '', include }, headers, caller, reply }) => {
        const names = namespaces.names().filter((name) => name.includes(search));
        const found = await permissions(guard, caller, names);
        const entries = found
          .filter((each) => permission === undefined || each.permission === permission)
          .map(({ namespace, permission: granted }): NamespaceEntry => ({
            namespace,
            permission: granted,
            policy: policySummaryOf(policies, namespace),
            ...(include === 'stats' ? { stats: listings.counts(namespace) } : {}),
          }));
        const user = { username: caller.name, groups: caller.groups };
        const list = { namespaces: entries, totalCount: entries.length, user } satisfies NamespaceList;
        return isUnchanged(reply, etagOf('namespaces', list), headers['if-none-match']) ? undefined : list;
      },
    }),
  );
}

interface Granted {
  namespace: string;
  permission: Permission;
}

async function permissions(guard: Guard, caller: Caller, names: readonly string[]): Promise<Granted[]> {
  const [listsAll, createsAll] = await Promise.all([
    guard.may(caller, rights.list(EVERYWHERE)),
    guard.may(caller, rights.create(EVERYWHERE)),
  ]);
  const permissionIn = async (namespace: string): Promise<Permission | undefined> => {
    if (!listsAll && !(await guard.may(caller, rights.list({ namespace })))) return undefined;
    return createsAll || (await guard.may(caller, rights.create({ namespace }))) ? 'editor' : 'viewer';
  };
  const granted: (Granted | undefined)[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < names.length; index = next++) {
      const namespace = names[index] ?? '';
      const permission = await permissionIn(namespace);
      granted[index] = permission === undefined ? undefined : { namespace, permission };
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return granted.filter((each) => each !== undefined);
}
