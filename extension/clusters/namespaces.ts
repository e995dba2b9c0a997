/** Which namespaces of a cluster to show: all that exist, or, where listing them is forbidden, those one is known to have. */
import type { KubeList, KubeObject } from '../../common/api/kubernetes.ts';
import { GROUP, VERSION } from '../../common/api/names.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { isForbidden } from '../../common/kube/errors.ts';
import { namespaces, resourcePath, sessions } from '../../common/kube/resource.ts';
import { NoNamespaces, NotInstalled } from './problem.ts';

export type EmptyNamespaces = 'auto' | 'show' | 'hide';

export interface NamespaceEntry {
  name: string;
  pinned: boolean;
  /** The context's own. */
  isDefault: boolean;
}

export interface NamespaceListing {
  /** In the order to show them: pinned, the context's own, then by name. */
  shown: NamespaceEntry[];
  /** Left out because no session is in them, or none that one may see. */
  hidden: NamespaceEntry[];
  /** Listing namespaces is forbidden: there may be more than these. */
  incomplete: boolean;
}

export interface NamespaceQuery {
  pinned: readonly string[];
  /** The context's namespace; absent means `default`. */
  contextNamespace: string | undefined;
  empty: EmptyNamespaces;
  signal?: AbortSignal;
}

/** With `auto`, up to so many namespaces are all shown. */
const AUTO_MAX = 10;
/** Above so many, namespaces are not asked one by one whether sessions are in them. */
const ASK_EACH_MAX = 200;
const PARALLEL = 8;
/** Pages of 500 sessions looked through to find out which namespaces have any. */
const PAGES_MAX = 20;
const METADATA_ONLY = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json';

/** Throws NotInstalled, NoNamespaces, or the KubeError that kept it from finding out. */
export async function listNamespaces(client: KubeClient, query: NamespaceQuery): Promise<NamespaceListing> {
  const options = query.signal === undefined ? {} : { signal: query.signal };
  const [installed, all] = await Promise.all([
    client.discovers(GROUP, VERSION, options),
    namesOf(client, resourcePath(namespaces), ({ name }) => name, query.signal),
  ]);
  if (!installed) throw new NotInstalled();
  const own = query.contextNamespace ?? 'default';
  const entry = (name: string): NamespaceEntry => ({
    name,
    pinned: query.pinned.includes(name),
    isDefault: name === own,
  });
  if (all === undefined) return await fromKnown(client, query, own, entry);
  const entries = inOrder([...all].map(entry), query.pinned);
  if (query.empty === 'show' || (query.empty === 'auto' && entries.length <= AUTO_MAX))
    return { shown: entries, hidden: [], incomplete: false };
  const used = await namespacesInUse(client, entries, query.signal);
  const isShown = (each: NamespaceEntry): boolean => each.pinned || each.isDefault || used(each.name);
  return {
    shown: entries.filter(isShown),
    hidden: entries.filter((each) => !isShown(each)),
    incomplete: false,
  };
}

/** Without the right to list namespaces: pinned ones, the context's own, and those of sessions one may list everywhere. */
async function fromKnown(
  client: KubeClient,
  query: NamespaceQuery,
  own: string,
  entry: (name: string) => NamespaceEntry,
): Promise<NamespaceListing> {
  const seen = await namesOf(
    client,
    resourcePath(sessions),
    ({ namespace }) => namespace ?? '',
    query.signal,
  );
  const names = new Set([...query.pinned, ...(seen ?? [])]);
  // Pinned ones are shown even when they turn out to be forbidden: then the node says so.
  if (!names.has(own) && (await mayListSessions(client, own, query.signal))) names.add(own);
  if (names.size === 0) throw new NoNamespaces();
  return { shown: inOrder([...names].map(entry), query.pinned), hidden: [], incomplete: true };
}

/** SelfSubjectRulesReview first, as it needs no guess; where it is incomplete, the access review decides. */
export async function mayListSessions(
  client: KubeClient,
  namespace: string,
  signal?: AbortSignal,
): Promise<boolean> {
  const options = signal === undefined ? {} : { signal };
  const { rulesAllow } = await import('../../common/kube/access.ts');
  const wanted = { verb: 'list', group: GROUP, resource: 'sessions' };
  const rules = await client.selfSubjectRulesReview(namespace, options);
  if (rulesAllow(rules, wanted)) return true;
  if (!rules.incomplete) return false;
  return (await client.selfSubjectAccessReview({ ...wanted, namespace }, options)).allowed;
}

/** Something of each object's metadata, or undefined when listing is forbidden. Asks for metadata only. */
async function namesOf(
  client: KubeClient,
  path: string,
  of: (metadata: KubeObject['metadata']) => string,
  signal: AbortSignal | undefined,
): Promise<Set<string> | undefined> {
  const found = new Set<string>();
  let next: string | undefined;
  try {
    for (let page = 0; page < PAGES_MAX; page += 1) {
      const query = `?limit=500${next === undefined ? '' : `&continue=${encodeURIComponent(next)}`}`;
      const list = await client.connection.json<KubeList<KubeObject>>(path + query, {
        accept: METADATA_ONLY,
        signal,
        verb: 'list',
      });
      for (const { metadata } of itemsOf(list)) found.add(of(metadata));
      next = list.metadata.continue;
      if (next === undefined || next === '') break;
    }
  } catch (error) {
    if (isForbidden(error)) return undefined;
    throw error;
  }
  return found;
}

/** An empty list of metadata comes with `items: null`. */
const itemsOf = (list: { items: KubeObject[] | null }): KubeObject[] => list.items ?? [];

async function namespacesInUse(
  client: KubeClient,
  entries: readonly NamespaceEntry[],
  signal: AbortSignal | undefined,
): Promise<(name: string) => boolean> {
  const everywhere = await namesOf(
    client,
    resourcePath(sessions),
    ({ namespace }) => namespace ?? '',
    signal,
  );
  if (everywhere !== undefined) return (name) => everywhere.has(name);
  if (entries.length > ASK_EACH_MAX) return () => false;
  const used = new Set<string>();
  const queue = entries.map(({ name }) => name);
  const ask = async (): Promise<void> => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      const path = resourcePath(sessions, { namespace: name, query: { limit: 1 } });
      try {
        const list = await client.connection.json<KubeList<KubeObject>>(path, {
          accept: METADATA_ONLY,
          signal,
          verb: 'list',
        });
        if (itemsOf(list).length > 0) used.add(name);
      } catch (error) {
        if (!isForbidden(error)) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, ask));
  return (name) => used.has(name);
}

let byNumber: Intl.Collator | undefined;
/** team-9 before team-20. Made on first use: it takes longer than all else that loads with the extension. */
const compareNames = (a: string, b: string): number =>
  (byNumber ??= new Intl.Collator('en', { numeric: true })).compare(a, b);

function inOrder(entries: NamespaceEntry[], pinned: readonly string[]): NamespaceEntry[] {
  const rank = (each: NamespaceEntry): number =>
    each.pinned ? pinned.indexOf(each.name) : pinned.length + (each.isDefault ? 0 : 1);
  return entries.sort((a, b) => rank(a) - rank(b) || compareNames(a.name, b.name));
}
