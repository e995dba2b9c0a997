/** The sockets beneath a connection: one bounded pool for calls, one unbounded for streams, perhaps through a proxy. */
import { createSecureContext } from 'node:tls';
import type { Dispatcher } from 'undici';
import { AmbientError } from '../errors.ts';
import type { ClientCertificate, Credentials } from './credentials.ts';
import { buildConnector, Pool, ProxyAgent } from './undici.ts';

export interface Dispatchers {
  /** Requests that are answered at once. */
  calls: Dispatcher;
  /** Watches and logs hold a connection for hours each, so they have their own and can never starve the calls. */
  streams: Dispatcher;
}

/** Well under kube-apiserver's own 90 s and a usual load balancer's 60 s: a connection they drop just as it is used loses a write. */
const KEEP_ALIVE_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** Seconds after which a silently dead peer is noticed on a quiet watch; below the idle limits of load balancers. */
const TCP_KEEP_ALIVE_MS = 30_000;

const PROXY_PROTOCOLS: readonly string[] = ['http:', 'https:', 'socks5:'];

/** Throws AmbientError kubeconfig_invalid for a proxy that cannot be used. */
export function checkProxy(proxy: string | undefined): URL | undefined {
  if (proxy === undefined || proxy === '') return undefined;
  const url = URL.parse(proxy);
  // Both names exist for "the proxy resolves host names", which is what undici does for either.
  if (url?.protocol === 'socks5h:' || url?.protocol === 'socks:')
    return URL.parse(proxy.replace(/^socks5?h?:/, 'socks5:')) ?? undefined;
  if (url === null || !PROXY_PROTOCOLS.includes(url.protocol)) {
    throw new AmbientError(
      'kubeconfig_invalid',
      `proxy-url ${JSON.stringify(proxy)} cannot be used: it must be an http, https or socks5 URL`,
    );
  }
  return url;
}

export function openDispatchers(
  origin: string,
  credentials: Credentials,
  certificate: ClientCertificate | undefined,
  maxConnections: number,
): Dispatchers {
  const { ca, cert, key, serverName, insecure } = credentials.tls;
  const tls = {
    // HTTP/2 would put all watches and calls on one socket; HTTP/1.1 spreads them and parses faster.
    allowH2: false,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
    timeout: CONNECT_TIMEOUT_MS,
    ...(ca === undefined ? {} : { ca }),
    ...(certificate ?? (cert === undefined || key === undefined ? {} : { cert, key })),
    ...(serverName === undefined || serverName === '' ? {} : { servername: serverName }),
    ...(insecure === true ? { rejectUnauthorized: false } : {}),
  };
  const pool = {
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    allowH2: false,
    pipelining: 1,
  };
  const proxy = checkProxy(credentials.proxy);
  if (proxy !== undefined) {
    const open = (connections: number | null) =>
      new ProxyAgent({ uri: proxy.href, requestTls: tls, ...pool, connections });
    return { calls: open(maxConnections), streams: open(null) };
  }
  // The same certificates for all: reading them costs more than the rest of a handshake. Not before the first connection,
  // whose failure an unreadable one is.
  let connector: buildConnector.connector | undefined;
  const connect: buildConnector.connector = (options, done) => {
    const secureContext = (): object => ({ secureContext: createSecureContext(tls) });
    connector ??= buildConnector({ ...tls, ...(options.protocol === 'https:' ? secureContext() : {}) });
    connector(options, done);
  };
  return {
    calls: new Pool(origin, { ...pool, connect, connections: maxConnections }),
    streams: new Pool(origin, { ...pool, connect, connections: null }),
  };
}
