/** A TLS server whose certificate changes while it runs, and that ends in order. */
import type { RequestListener, Server as HttpServer } from 'node:http';
import { createServer } from 'node:https';
import type { Server, ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface ServingCertificate {
  /** PEM, leaf first. */
  cert: string;
  /** PEM */
  key: string;
}

/** Where doors take their certificate from; it is renewed now and then. */
export interface Certificates {
  readonly current: ServingCertificate;
  onChange(listener: () => void): Disposable;
}

/** Longer than kube-apiserver keeps an idle connection (90 s): the one who opened it shall close it. */
const KEEP_ALIVE_MS = 120_000;
/** Nothing read and nothing written, also by a reader that does not read: the connection ends. */
export const IDLE_MS = 120_000;
const HEADERS_MS = 30_000;
/** A member of many groups has long headers. */
const HEADER_BYTES = 64 * 1024;

export interface Door {
  /** Listens; 0 picks a free port. Resolves with the port. */
  listen(port: number, host?: string): Promise<number>;
  /** Takes no more, ends waiting requests, gives others `drainMs` (default 5 s), then cuts them. */
  close(drainMs?: number): Promise<void>;
}

export function createTlsServer(
  certificates: Certificates,
  { idleMs = IDLE_MS, ...own }: ServerOptions & { idleMs?: number },
  listener: RequestListener,
): Server {
  const server = createServer(
    {
      ...certificates.current,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      maxHeaderSize: HEADER_BYTES,
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: HEADERS_MS,
      // Uploads may take their time as long as something moves.
      requestTimeout: 0,
      ...own,
    },
    listener,
  );
  server.setTimeout(idleMs);
  return server;
}

export function doorOf(
  server: Server | HttpServer,
  options: { closing: AbortController; release?: () => void },
): Door {
  return {
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, host, () => {
          server.off('error', reject);
          resolve((server.address() as AddressInfo).port);
        });
      }),
    close: async (drainMs = 5000) => {
      options.release?.();
      options.closing.abort(new Error('the server closes'));
      const cut = setTimeout(() => server.closeAllConnections(), drainMs);
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      });
      clearTimeout(cut);
    },
  };
}
