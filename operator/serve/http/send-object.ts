/** Sends a stored object: whole or one range, conditional, never rendered by a browser. RFC 9110 §13–15. */
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AmbientError } from '../../../common/errors.ts';
import type { Exchange } from './exchange.ts';

export interface SendableObject {
  size: number;
  /** `sha256:` and hex. */
  digest: string;
  contentType: string;
  createdAt: Date;
}

export interface ObjectSource {
  describe(): Promise<SendableObject>;
  open(range: ByteRange | undefined): Promise<{ digest: string; body: Readable }>;
  /** Offered to whoever saves it. */
  fileName: string;
}

interface ByteRange {
  first: number;
  last: number;
}

/** How often the object may be replaced between a look at it and its opening. */
const ATTEMPTS = 3;

export async function sendObject(
  { request, response, signal }: Exchange,
  source: ObjectSource,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const object = await source.describe();
    const etag = `"${object.digest}"`;
    const headers = headersOf(object, etag, source.fileName);
    const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = request.headers;
    // In this order: https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2
    if (ifMatch !== undefined && !names(ifMatch, ['*', etag]))
      throw new AmbientError('precondition_failed', 'the object is another one than If-Match names');
    if (ifNoneMatch !== undefined && names(ifNoneMatch, ['*', etag, `W/${etag}`])) {
      response.writeHead(304, { etag, 'cache-control': 'private, no-cache' }).end();
      return;
    }
    const ifRange = request.headers['if-range'];
    const isInPart = request.method === 'GET' && (ifRange === undefined || ifRange === etag);
    const range = isInPart ? parseRange(request.headers.range, object.size) : undefined;
    const { first, last } = range ?? { first: 0, last: object.size - 1 };
    const status = range === undefined ? 200 : 206;
    const send = (): void => {
      response.writeHead(status, {
        ...headers,
        'content-length': last - first + 1,
        ...(range === undefined ? {} : { 'content-range': `bytes ${first}-${last}/${object.size}` }),
      });
    };
    if (request.method === 'HEAD') {
      send();
      response.end();
      return;
    }
    const { digest, body } = await source.open(range);
    if (digest !== object.digest) {
      body.destroy();
      if (attempt < ATTEMPTS) continue;
      throw new AmbientError('conflict', 'the object changes all the time');
    }
    send();
    await pipeline(body, response, { signal });
    return;
  }
}

/** What agents write is hostile: saved, not shown; and when shown all the same, without scripts and without an origin. */
function headersOf(object: SendableObject, etag: string, fileName: string): Record<string, string> {
  return {
    'content-type': object.contentType,
    'content-disposition': `attachment; filename*=UTF-8''${encodeRfc8187(fileName)}`,
    'content-security-policy': "default-src 'none'; sandbox",
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'private, no-cache',
    'accept-ranges': 'bytes',
    'last-modified': object.createdAt.toUTCString(),
    etag,
  };
}

/** https://www.rfc-editor.org/rfc/rfc8187#section-3.2.1 */
const encodeRfc8187 = (text: string): string =>
  encodeURIComponent(text).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

const names = (header: string, tags: readonly string[]): boolean =>
  header.split(',').some((each) => tags.includes(each.trim()));

/** Undefined, hence everything, for no range, several, or another unit. Throws range_not_satisfiable. */
export function parseRange(header: string | undefined, size: number): ByteRange | undefined {
  const match = /^bytes=(\d{0,16})-(\d{0,16})$/.exec(header?.trim() ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  const [from, to] = [match[1] ?? '', match[2] ?? ''];
  const first = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (from !== '' && to !== '' && Number(to) < first) return undefined;
  if (first >= size || (from === '' && Number(to) === 0)) {
    throw new AmbientError('range_not_satisfiable', `there are ${size} bytes`, { details: { size } });
  }
  return { first, last };
}
