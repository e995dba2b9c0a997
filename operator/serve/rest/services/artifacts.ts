/** What a session made. */
import { listArtifacts } from '../../../../common/api/rest/operations.ts';
import type { ArtifactPage } from '../../../../common/api/rest/session.ts';
import type { Artifact } from '../../../../common/api/live.ts';
import type { Accesses } from '../../../sessions/accesses.ts';
import type { Artifacts } from '../../../sessions/artifacts.ts';
import { storedArtifactOf } from '../../../sessions/describe.ts';
import { pageOf } from '../../../sessions/listing.ts';
import { findSession } from '../../../sessions/lookup.ts';
import type { SessionLookup } from '../../../sessions/lookup.ts';
import type { Guard } from '../door.ts';
import { etagOf, isUnchanged } from '../etag.ts';
import type { Links } from '../links.ts';
import { rights } from '../rights.ts';
import { addService, service } from '../routes.ts';
import type { RestScope } from '../scope.ts';

export interface ArtifactServicesOptions {
  sessions: SessionLookup;
  artifacts: Artifacts;
  accesses: Accesses;
  links: Links;
}

export function addArtifactServices(scope: RestScope, guard: Guard, options: ArtifactServicesOptions): void {
  const { sessions, artifacts, accesses, links } = options;
  addService(
    scope,
    guard,
    service({
      operation: listArtifacts,
      right: (params) => rights.live('get', 'artifacts', params),
      handle: async ({ params, query, headers, caller, exchange, request, reply }) => {
        const { traceId, signal } = exchange;
        const session = await findSession(sessions, params.namespace, params.id, signal);
        const access = { session, actor: caller.name, action: 'view', traceId, signal } as const;
        return await accesses.of(
          { ...access, resource: 'sessions/artifacts', details: { door: 'rest' } },
          async () => {
            const all: Artifact[] = [];
            const found = query.include === 'operator' ? artifacts.list(session) : artifacts.made(session);
            for await (const artifact of found)
              if (query.type === undefined || artifact.type === query.type) all.push(artifact);
            const { items, total, hasMore } = pageOf(all, query);
            const download = await links.downloads(request, caller, session);
            const etag = etagOf('artifacts', session.metadata.uid, query, total, items, download.validity);
            if (isUnchanged(reply, etag, headers['if-none-match'])) return undefined;
            return {
              sessionId: session.metadata.name,
              artifacts: items.map((each) => storedArtifactOf(each, download.url(each.path))),
              totalCount: total,
              hasMore,
            } satisfies ArtifactPage;
          },
        );
      },
    }),
  );
}
