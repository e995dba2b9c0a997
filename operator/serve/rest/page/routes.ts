/** The document and the page that shows it, for everybody: nothing of the cluster is in either. */
import { openApiDocument } from '../../../../common/api/rest/document.ts';
import { OPERATIONS } from '../../../../common/api/rest/operations.ts';
import { REST_BASE, REST_VERSION } from '../../../../common/api/rest/operation.ts';
import { exchangeOf } from '../door.ts';
import { etagOf, isUnchanged } from '../etag.ts';
import type { RestScope } from '../scope.ts';
import { PAGE_HTML } from './html.ts';
import { PAGE_JS } from './script.ts';
import { PAGE_CSS } from './style.ts';

/** Nothing but its own script and style, and nobody but the door itself to talk to. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export function addPage(scope: RestScope): void {
  const json = JSON.stringify(openApiDocument(OPERATIONS, { version: REST_VERSION }));
  const files: readonly [path: string, type: string, text: string][] = [
    ['/', 'text/html; charset=utf-8', PAGE_HTML],
    ['/page.css', 'text/css; charset=utf-8', PAGE_CSS],
    ['/page.js', 'text/javascript; charset=utf-8', PAGE_JS],
    ['/openapi.json', 'application/json', json],
  ];
  for (const [path, type, text] of files) {
    const etag = etagOf(text);
    scope.get(path, { prefixTrailingSlash: 'slash' }, async (request, reply) => {
      exchangeOf(request).facts.route = 'page';
      reply.headers({
        'content-security-policy': POLICY,
        'referrer-policy': 'no-referrer',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-resource-policy': 'same-origin',
      });
      if (isUnchanged(reply, etag, request.headers['if-none-match'])) return undefined;
      return reply.type(type).serializer(String).send(text);
    });
  }
  // Its files are beside it.
  scope.get('', { prefixTrailingSlash: 'no-slash' }, async (request, reply) => {
    exchangeOf(request).facts.route = 'page';
    return reply.redirect(`${REST_BASE}/`, 308);
  });
}
