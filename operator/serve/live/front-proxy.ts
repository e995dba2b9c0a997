/**
 * Who asks: kube-apiserver has authenticated and authorized the user and says so in headers, believed only from a client
 * certificate of its front proxy. Kubernetes publishes which that is in ConfigMap kube-system/extension-apiserver-authentication.
 * https://kubernetes.io/docs/tasks/extend-kubernetes/configure-aggregation-layer/#authentication-flow
 */
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { AmbientError } from '../../../common/errors.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import type { ConfigMap } from '../../../common/kube/core-types.ts';
import { Reflector } from '../../../common/kube/reflector.ts';
import { configMaps } from '../../../common/kube/resource.ts';

export interface FrontProxyTrust {
  /** PEM, one or more. */
  ca: string;
  /** Common names; empty allows every name the CA signed. */
  allowedNames: string[];
  /** Header names in lower case, the first that is present counts. */
  userHeaders: string[];
  uidHeaders: string[];
  groupHeaders: string[];
  extraPrefixes: string[];
}

export interface UserInfo {
  name: string;
  uid?: string;
  groups: string[];
  extra: Record<string, string[]>;
}

/** What the live door needs to know of the front proxy. */
export interface FrontProxy {
  /** Undefined until it was read. */
  readonly trust: FrontProxyTrust | undefined;
  onChange(listener: () => void): Disposable;
}

const NAMESPACE = 'kube-system';
const NAME = 'extension-apiserver-authentication';

/** Follows the ConfigMap, as the authority may be exchanged while we run. */
export class WatchedFrontProxy implements FrontProxy, AsyncDisposable {
  readonly #reflector: Reflector<ConfigMap>;
  #trust: FrontProxyTrust | undefined;

  constructor(client: KubeClient) {
    this.#reflector = new Reflector({
      client,
      resource: configMaps,
      namespace: NAMESPACE,
      fieldSelector: `metadata.name=${NAME}`,
    });
    this.#reflector.onChange(({ type, object }) => {
      // Losing the ConfigMap is no reason to lock everybody out.
      if (type !== 'deleted') this.#trust = parseTrust(object.data ?? {}) ?? this.#trust;
    });
  }

  get trust(): FrontProxyTrust | undefined {
    return this.#trust;
  }

  onChange(listener: () => void): Disposable {
    return this.#reflector.onChange(listener);
  }

  /** Resolves when the ConfigMap was read. Rejects as Reflector.synced does. */
  async start(signal?: AbortSignal): Promise<void> {
    this.#reflector.start();
    await this.#reflector.synced(signal);
  }

  async close(): Promise<void> {
    await this.#reflector.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Undefined when the cluster has no front proxy. */
export function parseTrust(data: Record<string, string>): FrontProxyTrust | undefined {
  const ca = data['requestheader-client-ca-file'];
  if (ca === undefined || ca.trim() === '') return undefined;
  const list = (key: string, fallback: string[]): string[] => {
    const text = data[`requestheader-${key}`];
    if (text === undefined) return fallback;
    const value = JSON.parse(text) as unknown;
    return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : fallback;
  };
  const headers = (key: string, fallback: string): string[] =>
    list(key, [fallback]).map((name) => name.toLowerCase());
  return {
    ca,
    allowedNames: list('allowed-names', []),
    userHeaders: headers('username-headers', 'x-remote-user'),
    uidHeaders: headers('uid-headers', 'x-remote-uid'),
    groupHeaders: headers('group-headers', 'x-remote-group'),
    extraPrefixes: headers('extra-headers-prefix', 'x-remote-extra-'),
  };
}

/** Throws unauthenticated unless the connection is the front proxy's and names a user. */
export function identify(request: IncomingMessage, trust: FrontProxyTrust): UserInfo {
  const socket = request.socket as TLSSocket;
  const refuse = (why: string): never => {
    throw new AmbientError('unauthenticated', why);
  };
  if (!socket.authorized) refuse('only kube-apiserver may ask here: send requests to it');
  const name: unknown = socket.getPeerCertificate().subject?.CN;
  if (typeof name !== 'string') return refuse('the client certificate has no one common name');
  if (trust.allowedNames.length > 0 && !trust.allowedNames.includes(name)) {
    refuse(`the client certificate of ${JSON.stringify(name)} is not the front proxy's`);
  }
  const headers = utf8Headers(request);
  const first = (names: string[]): string | undefined =>
    names.map((each) => headers.get(each)?.[0]).find((value) => value !== undefined && value !== '');
  const user = first(trust.userHeaders) ?? refuse('kube-apiserver named no user');
  const uid = first(trust.uidHeaders);
  const extra: Record<string, string[]> = {};
  for (const [header, values] of headers) {
    const prefix = trust.extraPrefixes.find((each) => header.startsWith(each));
    if (prefix !== undefined) extra[decodeKey(header.slice(prefix.length))] = values;
  }
  return {
    name: user,
    ...(uid === undefined ? {} : { uid }),
    groups: trust.groupHeaders.flatMap((each) => headers.get(each) ?? []),
    extra,
  };
}

/** Go writes header values as UTF-8, node reads them as Latin-1. */
function utf8Headers(request: IncomingMessage): Map<string, string[]> {
  const headers = new Map<string, string[]>();
  for (const [name, values = []] of Object.entries(request.headersDistinct)) {
    headers.set(
      name.toLowerCase(),
      values.map((value) => Buffer.from(value, 'latin1').toString('utf8')),
    );
  }
  return headers;
}

function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
