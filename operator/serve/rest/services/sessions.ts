/** Listing, launching and reading sessions. */
import { createSession, getSession, listSessions } from '../../../../common/api/rest/operations.ts';
import type { SessionPage } from '../../../../common/api/rest/session.ts';
import type { Session, SessionSpec } from '../../../../common/api/session.ts';
import { AmbientError } from '../../../../common/errors.ts';
import type { Accesses } from '../../../sessions/accesses.ts';
import { detailOf, summaryOf } from '../../../sessions/describe.ts';
import type { Launches } from '../../../sessions/launch.ts';
import type { Listings } from '../../../sessions/listing.ts';
import { findSession } from '../../../sessions/lookup.ts';
import type { SessionLookup } from '../../../sessions/lookup.ts';
import type { Namespaces } from '../../../sessions/namespaces.ts';
import { isPayloadLeftOut } from '../../../sessions/payload.ts';
import type { Caller } from '../../identity/caller.ts';
import type { Guard } from '../door.ts';
import { etagOf, isUnchanged } from '../etag.ts';
import type { Links } from '../links.ts';
import { rights } from '../rights.ts';
import { addService, service } from '../routes.ts';
import type { Call } from '../routes.ts';
import type { RestScope } from '../scope.ts';

export interface SessionServicesOptions {
  sessions: SessionLookup;
  namespaces: Namespaces;
  listings: Listings;
  launches: Launches;
  accesses: Accesses;
  links: Links;
}

export function addSessionServices(scope: RestScope, guard: Guard, options: SessionServicesOptions): void {
  const { sessions, namespaces, listings, launches, accesses, links } = options;

  addService(
    scope,
    guard,
    service({
      operation: listSessions,
      right: rights.list,
      handle: async ({ params: { namespace }, query, headers, caller, exchange, reply }) => {
        const { traceId, signal } = exchange;
        if (!(await namespaces.exists(namespace, signal)))
          throw new AmbientError('not_found', `there is no namespace ${namespace}`);
        const { items, next, ...counts } = listings.page(namespace, query);
        const access = {
          session: { namespace },
          actor: caller.name,
          action: 'view',
          traceId,
          signal,
        } as const;
        return await accesses.of(
          { ...access, resource: 'sessions', details: { door: 'rest', ...query } },
          async () => {
            const versions = items.map(({ metadata }) => [metadata.uid, metadata.resourceVersion]);
            const etag = etagOf('list', query, counts, versions);
            if (isUnchanged(reply, etag, headers['if-none-match'])) return undefined;
            const page = { sessions: items.map(summaryOf), ...counts };
            return (next === undefined ? page : { ...page, next }) satisfies SessionPage;
          },
        );
      },
    }),
  );

  addService(
    scope,
    guard,
    service({
      operation: createSession,
      right: rights.create,
      handle: async ({ params: { namespace }, headers, body, caller, exchange, request, reply }) => {
        const { traceId, signal } = exchange;
        const { metadata = {}, ...rest } = body;
        const { displayName, labels, annotations } = metadata;
        const session = await launches.launch({
          namespace,
          // What has a default is completed by the API server.
          spec: { ...rest, ...(displayName === undefined ? {} : { displayName }) } as SessionSpec,
          ...(labels === undefined ? {} : { labels }),
          ...(annotations === undefined ? {} : { annotations }),
          by: { name: caller.name, uid: caller.uid, groups: caller.groups },
          key: headers['idempotency-key'],
          door: 'rest',
          traceId,
          signal,
        });
        exchange.facts.session = session.metadata.name;
        const path = `/namespaces/${encodeURIComponent(namespace)}/sessions/${session.metadata.name}`;
        reply.code(201).header('location', `${links.base(request)}${path}`);
        const download = await links.downloads(request, caller, session);
        reply.header('etag', detailTag(session, true, true, download.validity));
        return detailOf(session, { history: true, artifacts: true, downloadUrl: download.url });
      },
    }),
  );

  addService(
    scope,
    guard,
    service({
      operation: getSession,
      right: rights.get,
      handle: async (call) => {
        const { params, caller, exchange } = call;
        const { traceId, signal } = exchange;
        const found = await findSession(sessions, params.namespace, params.id, signal);
        const access = { session: found, actor: caller.name, action: 'view', traceId, signal } as const;
        return await accesses.of({ ...access, resource: 'sessions', details: { door: 'rest' } }, () =>
          detail(call, found, caller),
        );
      },
    }),
  );

  async function detail(
    { query, headers, exchange, request, reply }: Call<typeof getSession>,
    found: Session,
    caller: Caller,
  ): Promise<unknown> {
    const { includeHistory: history, includeArtifacts: artifacts } = query;
    const download = await links.downloads(request, caller, found);
    const etag = detailTag(found, history, artifacts, download.validity);
    if (isUnchanged(reply, etag, headers['if-none-match'])) return undefined;
    const { namespace = '', name } = found.metadata;
    // The event that caused it is not kept in memory.
    const whole = isPayloadLeftOut(found) ? await sessions.fetch(namespace, name, exchange.signal) : found;
    if (whole === undefined) throw new AmbientError('not_found', `session ${name} is gone`);
    return detailOf(whole, { history, artifacts, downloadUrl: download.url });
  }
}

const detailTag = ({ metadata }: Session, history: boolean, artifacts: boolean, validity: string): string =>
  etagOf('session', metadata.uid, metadata.resourceVersion, history, artifacts, artifacts ? validity : '');
