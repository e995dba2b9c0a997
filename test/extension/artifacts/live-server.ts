/**
 * Stands for the API server with the live API behind it, where what matters is what the editor does with artifacts:
 * one session and its files, answers that are cut on demand. The real thing is met in the end-to-end tests.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LIVE_API_VERSION } from '../../../common/api/names.ts';
import type { Artifact, ArtifactList } from '../../../common/api/live.ts';
import { contentTypeOf } from '../../../runner/artifacts/content-type.ts';

export class LiveServer implements AsyncDisposable {
  readonly #files = new Map<string, { artifact: Artifact; bytes: Buffer }>();
  readonly #server = createServer((request, response) => this.#answer(request, response));
  /** Requests for bytes, as `path bytes=0-9`. */
  readonly ranges: string[] = [];
  /** The next answers with bytes end after so many, silently. */
  cuts: number[] = [];
  sessionUid = 'uid-1';

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  put(path: string, content: string | Buffer): void {
    const bytes = Buffer.from(content);
    const artifact: Artifact = {
      path,
      type: 'output',
      size: bytes.length,
      contentType: contentTypeOf(path, bytes.subarray(0, 4096)),
      createdAt: new Date(Date.parse('2026-01-01T00:00:00Z') + this.#files.size * 1000).toISOString(),
      digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
    };
    this.#files.set(path, { artifact, bytes });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url ?? '', 'http://x');
    const live = `/apis/${LIVE_API_VERSION}/namespaces/demo/sessions/s1/artifacts`;
    if (pathname === '/apis/ambient.ai/v1alpha1/namespaces/demo/sessions/s1')
      return json(response, 200, { kind: 'Session', metadata: { name: 's1', uid: this.sessionUid } });
    if (pathname === live) {
      const items = [...this.#files.values()].map(({ artifact }) => artifact);
      items.sort((a, b) => (a.path < b.path ? -1 : 1));
      const list: ArtifactList = { kind: 'ArtifactList', apiVersion: LIVE_API_VERSION, metadata: {}, items };
      return json(response, 200, list);
    }
    const path = pathname.startsWith(`${live}/`)
      ? pathname
          .slice(live.length + 1)
          .split('/')
          .map(decodeURIComponent)
          .join('/')
      : '';
    const file = this.#files.get(path);
    if (file === undefined)
      return json(response, 404, {
        kind: 'Status',
        status: 'Failure',
        reason: 'NotFound',
        code: 404,
        message: 'not here',
      });
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    this.ranges.push(`${path} ${request.headers.range ?? ''}`);
    const first = Number(range?.[1] ?? 0);
    const last = Math.min(Number(range?.[2] ?? file.bytes.length), file.bytes.length - 1);
    const body = file.bytes.subarray(first, last + 1);
    response.writeHead(206, {
      etag: `"${file.artifact.digest}"`,
      'content-type': file.artifact.contentType,
      'content-range': `bytes ${first}-${last}/${file.bytes.length}`,
    });
    // Without a length, as the API server's proxy answers: the end of the body is all there is.
    response.end(body.subarray(0, this.cuts.shift()));
  }
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
