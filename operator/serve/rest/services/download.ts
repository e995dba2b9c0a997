/** The bytes of an artifact: with a token, or at a signed address. */
import type { FastifyRequest } from 'fastify';
import { downloadArtifact } from '../../../../common/api/rest/operations.ts';
import { AmbientError } from '../../../../common/errors.ts';
import type { Accesses } from '../../../sessions/accesses.ts';
import type { Artifacts } from '../../../sessions/artifacts.ts';
import { findSession } from '../../../sessions/lookup.ts';
import type { SessionLookup } from '../../../sessions/lookup.ts';
import { sendObject } from '../../http/send-object.ts';
import { exchangeOf } from '../door.ts';
import type { Guard } from '../door.ts';
import type { Download, Grant, Links } from '../links.ts';
import { sendRaw } from '../raw.ts';
import { rights } from '../rights.ts';
import { addService, service } from '../routes.ts';
import type { RestScope } from '../scope.ts';

export interface DownloadServicesOptions {
  sessions: SessionLookup;
  artifacts: Artifacts;
  accesses: Accesses;
  links: Links;
}

export function addDownloadService(scope: RestScope, guard: Guard, options: DownloadServicesOptions): void {
  const { sessions, artifacts, accesses, links } = options;
  const right = (params: Download) => rights.live('get', 'artifacts', params);
  addService(
    scope,
    guard,
    service({
      operation: downloadArtifact,
      right,
      link: (params, request) =>
        guard.linked(request, right(params), () => grantOf(links, params, request)?.caller),
      handle: async ({ params, caller, exchange, request, reply }) => {
        const { traceId, signal } = exchange;
        const session = await findSession(sessions, params.namespace, params.id, signal);
        const grant = grantOf(links, params, request);
        if (grant !== undefined && grant.uid !== session.metadata.uid)
          throw new AmbientError('not_found', `session ${params.id} is gone`);
        const { path } = params;
        const { range } = request.headers;
        const details = {
          door: 'rest',
          path,
          method: request.method,
          ...(range === undefined ? {} : { range }),
          ...(grant === undefined ? {} : { link: true }),
        };
        const access = { session, actor: caller.name, action: 'view', traceId, signal } as const;
        return await accesses.of({ ...access, resource: 'sessions/artifacts', details }, () =>
          sendRaw(reply, exchange, () =>
            sendObject(exchange, {
              describe: async () => {
                const found = await artifacts.describe(session, path);
                return { ...found, createdAt: new Date(found.createdAt) };
              },
              open: async (wanted) => {
                const { artifact, body } = await artifacts.get(session, path, wanted);
                return { digest: artifact.digest, body };
              },
              fileName: path.slice(path.lastIndexOf('/') + 1),
            }),
          ),
        );
      },
    }),
  );
}

/** Undefined for an address that is not signed. Throws forbidden. */
function grantOf(
  links: Links,
  { namespace, id, path }: Download,
  request: FastifyRequest,
): Grant | undefined {
  const { expires, grant, signature } = request.query as Record<string, unknown>;
  if (expires === undefined && grant === undefined && signature === undefined) return undefined;
  exchangeOf(request).facts.user = 'a signed address';
  return links.check(
    { namespace, id, path },
    {
      expires: Number(expires),
      ...(typeof grant === 'string' ? { grant } : {}),
      ...(typeof signature === 'string' ? { signature } : {}),
    },
  );
}
