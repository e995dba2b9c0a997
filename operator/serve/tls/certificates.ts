/** Keeps the operator's certificates in a Secret that all replicas share: made by the first, renewed by whoever notices, re-read by all. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Logger } from 'pino';
import type { Secret } from '../../../common/kube/core-types.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../../common/kube/errors.ts';
import { secrets } from '../../../common/kube/resource.ts';
import type { Certificates, ServingCertificate } from '../http/server.ts';
import {
  bundleOf,
  exchangeToken,
  fromSecretData,
  linkKeysAt,
  makeMaterial,
  renewMaterial,
  toSecretData,
} from './material.ts';
import type { Material } from './material.ts';

export const TLS_SECRET = 'ambient-operator-tls';

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  timer(delayMs: number, fire: () => void): Disposable;
}

export interface OperatorCertificatesOptions {
  client: KubeClient;
  namespace: string;
  /** DNS names and IP addresses by which the operator is reached. */
  names: readonly string[];
  clock: Clock;
  log: Logger;
  secretName?: string;
}

/** Far less than what is left of a leaf when it is due, so every replica has the new one long before the old one ends. */
const CHECK_MS = 3600_000;
const RETRY_MS = 60_000;
/** How long a token is still taken after the next one is there: until the API server has learnt the new path. */
const TOKEN_GRACE_MS = 30_000;
/** Between two looks for a token that is not known here: another replica may have made it. */
const TOKEN_LOOK_MS = 1000;
/** Lost races with other replicas. */
const ATTEMPTS = 10;

export class OperatorCertificates implements Certificates, AsyncDisposable {
  readonly #options: Required<OperatorCertificatesOptions>;
  readonly #listeners = new Set<() => void>();
  readonly #closing = new AbortController();
  #material: Material | undefined;
  #timer: Disposable | undefined;
  #refreshing: Promise<void> | undefined;
  #formerToken: { token: string; until: number } | undefined;
  #lookedForToken = -Infinity;

  constructor(options: OperatorCertificatesOptions) {
    this.#options = { secretName: TLS_SECRET, ...options };
  }

  /** Reads or makes the certificates, and keeps them fresh until closed. Throws KubeError. */
  async start(): Promise<void> {
    await this.#exchange();
    this.#schedule(CHECK_MS);
  }

  /** Throws before `start` has resolved. */
  get current(): ServingCertificate {
    return this.#loaded.leaf;
  }

  /** PEM: whom clients of the operator shall trust. Throws before `start` has resolved. */
  get caBundle(): string {
    return bundleOf(this.#loaded);
  }

  /** The secret part of the admission door's paths. Throws before `start` has resolved. */
  get admissionToken(): string {
    return this.#loaded.token;
  }

  /** By which every replica signs, and checks, addresses that are good for a while. Throws before `start` has resolved. */
  get linkKeys(): ReturnType<typeof linkKeysAt> {
    return linkKeysAt(this.#loaded, new Date(this.#options.clock.now()));
  }

  /** Whether it is that token, or was a moment ago. Takes the same time whatever is wrong with it. */
  async isAdmissionToken(sent: string): Promise<boolean> {
    if (this.#knowsToken(sent)) return true;
    const now = this.#options.clock.now();
    if (now - this.#lookedForToken < TOKEN_LOOK_MS) return false;
    this.#lookedForToken = now;
    try {
      await this.refresh();
    } catch (err) {
      this.#options.log.warn({ err }, 'looking for a new token failed');
    }
    return this.#knowsToken(sent);
  }

  /** Calls back after the certificate, the bundle or the token changed. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  /** Reads the Secret anew, and renews what is due. */
  async refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh(renewMaterial).finally(() => (this.#refreshing = undefined));
    await this.#refreshing;
  }

  /** The same, with a new token in any case. */
  async #exchange(): Promise<void> {
    await this.#refreshing?.catch(() => undefined);
    this.#refreshing ??= this.#refresh(async (...args) =>
      exchangeToken(await renewMaterial(...args)),
    ).finally(() => (this.#refreshing = undefined));
    await this.#refreshing;
  }

  #knowsToken(sent: string): boolean {
    const { token } = this.#loaded;
    const former = this.#formerToken;
    const isFormer = former !== undefined && former.until > this.#options.clock.now();
    const known = [isSame(sent, token), isFormer && isSame(sent, former.token)];
    return token !== '' && known.includes(true);
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the operator closes'));
    this.#timer?.[Symbol.dispose]();
    await this.#refreshing?.catch(() => undefined);
    this.#listeners.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #loaded(): Material {
    if (this.#material === undefined) throw new Error('the certificates are not there yet');
    return this.#material;
  }

  #schedule(delayMs: number): void {
    if (this.#closing.signal.aborted) return;
    this.#timer = this.#options.clock.timer(delayMs, () => {
      this.#exchange().then(
        () => this.#schedule(CHECK_MS),
        (err: unknown) => {
          this.#options.log.warn({ err }, 'checking the certificates failed');
          this.#schedule(RETRY_MS);
        },
      );
    });
  }

  async #refresh(renew: typeof renewMaterial): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        this.#adopt(await this.#readOrWrite(renew));
        return;
      } catch (error) {
        const isLostRace = isConflict(error) || isAlreadyExists(error) || isNotFound(error);
        if (!isLostRace || attempt >= ATTEMPTS) throw error;
      }
    }
  }

  async #readOrWrite(renew: typeof renewMaterial): Promise<Material> {
    const { client, namespace, names, clock, secretName: name, log } = this.#options;
    const { signal } = this.#closing;
    const now = new Date(clock.now());
    const secret = await this.#read();
    if (secret === undefined) {
      const made = await makeMaterial(names, now);
      const metadata = { name, namespace, labels: { 'app.kubernetes.io/managed-by': 'ambient-operator' } };
      const object: Secret = { apiVersion: 'v1', kind: 'Secret', metadata, type: 'kubernetes.io/tls' };
      await client.create(secrets, { ...object, data: toSecretData(made) }, { signal });
      log.info({ secret: name }, 'made certificates');
      return made;
    }
    let standing: Material | undefined;
    try {
      standing = await fromSecretData(secret.data ?? {});
    } catch (err) {
      log.error({ err, secret: name }, 'the certificates in the Secret cannot be used; making new ones');
    }
    const material =
      standing === undefined ? await makeMaterial(names, now) : await renew(standing, names, now);
    if (material === standing) return material;
    // With the version that was read: of two replicas that renew, one wins and the other reads.
    await client.replace(secrets, { ...secret, data: toSecretData(material) }, { signal });
    log.info({ secret: name }, 'renewed certificates');
    return material;
  }

  async #read(): Promise<Secret | undefined> {
    const { client, namespace, secretName: name } = this.#options;
    try {
      return await client.get(secrets, { namespace, name }, { signal: this.#closing.signal });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  #adopt(material: Material): void {
    const before = this.#material;
    this.#material = material;
    if (before !== undefined && before.token !== material.token && before.token !== '')
      this.#formerToken = { token: before.token, until: this.#options.clock.now() + TOKEN_GRACE_MS };
    const isUnchanged =
      before !== undefined &&
      before.leaf.cert === material.leaf.cert &&
      before.token === material.token &&
      bundleOf(before) === bundleOf(material);
    if (!isUnchanged) for (const listener of this.#listeners) listener();
  }
}

function isSame(sent: string, token: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(sent), digest(token));
}
