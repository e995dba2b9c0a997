/** What a connection proves itself with, wherever it comes from: a kubeconfig, or the pod it runs in. */
export interface ClientCertificate {
  /** PEM */
  cert: string;
  /** PEM */
  key: string;
}

export interface Credentials {
  /** https://host:port[/path] */
  server: string;
  tls: { ca?: string; cert?: string; key?: string; serverName?: string; insecure?: boolean };
  /** Called for every request, so it must be cheap when nothing has to be renewed. The value of the header. */
  authorization?: (signal: AbortSignal) => Promise<string | undefined>;
  /** A client certificate that may change; asked when connections are opened and after a 401. Wins over `tls`. */
  clientCertificate?: (signal: AbortSignal) => Promise<ClientCertificate | undefined>;
  /** The server answered 401 to `used`: forget it. True when asking again may give something else. */
  invalidate?: (used: string | undefined) => boolean;
  /** Sent with every request: Impersonate-User and the like. */
  headers?: Record<string, string | string[]>;
  /** URL of an HTTP(S) or SOCKS5 proxy. */
  proxy?: string;
  /** Ends whatever still runs to obtain credentials. */
  close?: () => void;
}

export interface CurrentCredentials extends Pick<Credentials, 'server' | 'tls' | 'proxy'> {
  /** The value of the header. */
  authorization?: string;
}
