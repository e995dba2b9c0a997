/**
 * The key that signs statements: in a Secret of the operator's namespace, made where there is none. Its public half is published
 * before anything is signed with it, and stays published when the Secret was removed and a new key made.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { Logger } from 'pino';
import { AmbientError } from '../../../common/errors.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import { isAlreadyExists, isNotFound } from '../../../common/kube/errors.ts';
import { configMaps, secrets } from '../../../common/kube/resource.ts';
import { keyIdOf } from './envelope.ts';

export const SIGNING_SECRET = 'ambient-provenance-key';
export const KEYS_CONFIG_MAP = 'ambient-provenance-keys';
const FIELD = 'ed25519.pem';
/** After so long a key that was exchanged is noticed. */
const READ_AGAIN_MS = 60_000;

export interface SigningKeyOptions {
  client: Pick<KubeClient, 'get' | 'create' | 'mergePatch'>;
  /** Of the operator. */
  namespace: string;
  /** Milliseconds of a clock that never goes back. */
  elapsed: () => number;
  log: Pick<Logger, 'info'>;
}

export class SigningKey {
  readonly #options: SigningKeyOptions;
  #known: { key: Promise<KeyObject>; readAt: number } | undefined;
  readonly #published = new Set<string>();

  constructor(options: SigningKeyOptions) {
    this.#options = options;
  }

  /** Throws KubeError, and unavailable for a Secret that holds something else. */
  async current(): Promise<KeyObject> {
    const now = this.#options.elapsed();
    if (this.#known === undefined || now - this.#known.readAt > READ_AGAIN_MS) {
      const key = this.#read();
      this.#known = { key, readAt: now };
      // What failed is tried again at once.
      key.catch(() => (this.#known = undefined));
    }
    return await this.#known.key;
  }

  async #read(): Promise<KeyObject> {
    const key = await this.#readOrMake();
    await this.#publish(key);
    return key;
  }

  async #readOrMake(): Promise<KeyObject> {
    const { client, namespace, log } = this.#options;
    const at = { namespace, name: SIGNING_SECRET };
    try {
      return parsed((await client.get(secrets, at)).data?.[FIELD]);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    try {
      await client.create(secrets, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { ...at, labels: { 'app.kubernetes.io/managed-by': 'ambient-operator' } },
        type: 'Opaque',
        data: { [FIELD]: Buffer.from(pem).toString('base64') },
      });
      log.info({ secret: SIGNING_SECRET, key: keyIdOf(privateKey) }, 'made a key to sign provenance with');
      return privateKey;
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      // Another operator was faster.
      return parsed((await client.get(secrets, at)).data?.[FIELD]);
    }
  }

  async #publish(key: KeyObject): Promise<void> {
    const { client, namespace } = this.#options;
    const id = keyIdOf(key);
    if (this.#published.has(id)) return;
    const at = { namespace, name: KEYS_CONFIG_MAP };
    const data = { [`${id}.pem`]: createPublicKey(key).export({ type: 'spki', format: 'pem' }) as string };
    try {
      await client.mergePatch(configMaps, at, { data });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      try {
        await client.create(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: at, data });
      } catch (lost) {
        if (!isAlreadyExists(lost)) throw lost;
        await client.mergePatch(configMaps, at, { data });
      }
    }
    this.#published.add(id);
  }
}

function parsed(base64: string | undefined): KeyObject {
  try {
    const key = createPrivateKey(Buffer.from(base64 ?? '', 'base64'));
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Said below.
  }
  throw new AmbientError(
    'unavailable',
    `the Secret ${SIGNING_SECRET} has no Ed25519 key in ${FIELD}; remove it, and a new one is made`,
  );
}
