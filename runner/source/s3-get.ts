/** Reads objects of S3 with signed requests: the little that inputs need, so that every pod is spared a client of a megabyte. */
import { createHash, createHmac } from 'node:crypto';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { SourceError } from './source-error.ts';

export interface S3Access {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
  region: string;
  /** Undefined: Amazon's own. */
  endpoint: string | undefined;
  bucket: string;
}

const EMPTY = createHash('sha256').update('').digest('hex');
const WORDS_MAX = 2000;

export class S3Reader {
  readonly #access: S3Access;
  readonly #now: () => Date;

  constructor(access: S3Access, now: () => Date) {
    this.#access = access;
    this.#now = now;
  }

  /** Throws SourceError with what the server said. */
  async get(key: string, signal: AbortSignal): Promise<Readable> {
    const response = await this.#request(key, {}, signal);
    return Readable.fromWeb(response.body as ReadableStream);
  }

  /** Names of all objects that begin with the prefix. Throws SourceError. */
  async list(prefix: string, signal: AbortSignal): Promise<string[]> {
    const names: string[] = [];
    let token: string | undefined;
    do {
      const query = { 'list-type': '2', 'encoding-type': 'url', prefix };
      const page = await this.#request(
        '',
        token === undefined ? query : { ...query, 'continuation-token': token },
        signal,
      );
      const xml = await page.text();
      // Not every server does as it was asked.
      const isEncoded = /<EncodingType>url<\/EncodingType>/.test(xml);
      for (const [, name = ''] of xml.matchAll(/<Key>([^<]*)<\/Key>/g)) {
        const text = unescaped(name);
        names.push(isEncoded ? decodeURIComponent(text.replaceAll('+', ' ')) : text);
      }
      const isMore = /<IsTruncated>true<\/IsTruncated>/.test(xml);
      const next = /<NextContinuationToken>([^<]*)<\/NextContinuationToken>/.exec(xml)?.[1];
      token = isMore && next !== undefined ? unescaped(next) : undefined;
    } while (token !== undefined);
    return names;
  }

  async #request(key: string, query: Record<string, string>, signal: AbortSignal): Promise<Response> {
    const { bucket, endpoint, region } = this.#access;
    // In the path where the server is one's own: certificates seldom hold for every bucket.
    const base = endpoint === undefined ? `https://${bucket}.s3.${region}.amazonaws.com` : endpoint;
    const path = `${endpoint === undefined ? '' : `/${encoded(bucket)}`}/${key.split('/').map(encoded).join('/')}`;
    const search = Object.entries(query)
      .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
      .sort()
      .join('&');
    const { origin, host } = new URL(base);
    const url = `${origin}${path}${search === '' ? '' : `?${search}`}`;
    let response: Response;
    try {
      response = await fetch(url, { headers: this.#sign(host, path, search), redirect: 'error', signal });
    } catch (error) {
      signal.throwIfAborted();
      const { cause } = error as { cause?: { message?: string } };
      throw new SourceError(`${origin} cannot be reached: ${cause?.message ?? String(error)}`);
    }
    if (response.ok) return response;
    const words = (await response.text()).slice(0, WORDS_MAX);
    const code = /<Code>([^<]*)<\/Code>/.exec(words)?.[1] ?? `status ${response.status}`;
    throw new SourceError(`s3://${bucket}/${key} cannot be read: ${code}`);
  }

  /** Signature Version 4. */
  #sign(host: string, path: string, search: string): Record<string, string> {
    const { accessKeyId, secretAccessKey, sessionToken, region } = this.#access;
    const at = this.#now()
      .toISOString()
      .replace(/[-:]|\.\d{3}/g, '');
    const day = at.slice(0, 8);
    const headers: Record<string, string> = {
      host,
      'x-amz-content-sha256': EMPTY,
      'x-amz-date': at,
      ...(sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken }),
    };
    const names = Object.keys(headers).sort();
    const canonical = [
      'GET',
      path,
      search,
      ...names.map((name) => `${name}:${headers[name] ?? ''}`),
      '',
      names.join(';'),
      EMPTY,
    ].join('\n');
    const scope = `${day}/${region}/s3/aws4_request`;
    const digest = createHash('sha256').update(canonical).digest('hex');
    const key = [day, region, 's3', 'aws4_request'].reduce<Buffer>(
      (last, part) => createHmac('sha256', last).update(part).digest(),
      Buffer.from(`AWS4${secretAccessKey}`),
    );
    const signature = createHmac('sha256', key)
      .update(['AWS4-HMAC-SHA256', at, scope, digest].join('\n'))
      .digest('hex');
    const { host: _, ...sent } = headers;
    return {
      ...sent,
      authorization: `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`,
    };
  }
}

const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

const unescaped = (xml: string): string =>
  xml
    .replace(/&#(x?)([0-9a-fA-F]{1,6});/g, (_, hex: string, digits: string) =>
      String.fromCodePoint(parseInt(digits, hex === '' ? 10 : 16)),
    )
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&');
