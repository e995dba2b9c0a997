/**
 * The heads of chains, published in a ConfigMap of the operator's namespace: what was published must be in the store. Each
 * chain has a key of its own, so that replicas do not write over each other's.
 */
import { Compile } from 'typebox/compile';
import type { Logger } from 'pino';
import { AmbientError } from '../../../common/errors.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import type { ConfigMap } from '../../../common/kube/core-types.ts';
import { isAlreadyExists, isNotFound } from '../../../common/kube/errors.ts';
import { configMaps } from '../../../common/kube/resource.ts';
import type { ChainRef } from '../../store/keys.ts';
import type { AuditClock } from './chain.ts';
import { PublishedHead } from './marks.ts';
import type { ChainHeadOf } from './marks.ts';
import type { HeadBoard } from './trail.ts';

export const HEADS_CONFIG_MAP = 'ambient-audit-heads';

export interface AuditHeadsOptions {
  client: Pick<KubeClient, 'get' | 'create' | 'mergePatch'>;
  /** Of the operator. */
  namespace: string;
  clock: AuditClock;
  log: Logger;
  /** Between two writes; default 5 s. */
  intervalMs?: number;
}

const INTERVAL_MS = 5000;
const PROMPT_MS = 200;
/** A chain whose head has not moved for so long is taken for one of a process that has ended. */
const RESTING_MS = 600_000;
/** A ConfigMap holds 1 MiB, a head with its key has 200 to 350 bytes. */
export const KEYS_MAX = 1600;
/** As many as one record shall name. */
const EARLIER_MAX = 200;

const validator = Compile(PublishedHead);
/** A namespace has no dot in its name. */
const keyOf = (namespace: string, writer: string): string => `${namespace}.${writer}`;

/** Of the data of the ConfigMap. Throws invalid_request for what is no head. */
export function parseHeads(data: Readonly<Record<string, unknown>>): ChainHeadOf[] {
  return Object.entries(data).map(([key, text]) => {
    const dot = key.indexOf('.');
    let head: unknown;
    try {
      head = { writer: key.slice(dot + 1), ...(JSON.parse(String(text)) as object) };
    } catch {
      head = undefined;
    }
    if (dot < 1 || !validator.Check(head))
      throw new AmbientError('invalid_request', `${JSON.stringify(key)} is not the head of a chain`);
    return { namespace: key.slice(0, dot), ...head };
  });
}

export class AuditHeads implements HeadBoard, AsyncDisposable {
  readonly #options: AuditHeadsOptions;
  readonly #published = new Map<string, ChainHeadOf>();
  /** What is to be written; null takes the key away. */
  readonly #changes = new Map<string, string | null>();
  /** Hashes of the heads to be taken away, by key. */
  readonly #retiring = new Map<string, string>();
  /** Named in the first record of a chain that is not published yet. */
  readonly #named = new Map<string, readonly ChainHeadOf[]>();
  #timer: Disposable | undefined;
  #writtenAt = 0;
  #publishing: Promise<void> = Promise.resolve();

  constructor(options: AuditHeadsOptions) {
    this.#options = options;
  }

  /** Reads what was published before. Throws KubeError. */
  async start(): Promise<void> {
    const { log } = this.#options;
    for (const [key, text] of Object.entries(await this.#read()))
      try {
        for (const head of parseHeads({ [key]: text })) this.#published.set(key, head);
      } catch (err) {
        log.error({ err, key }, 'a published audit head cannot be read');
      }
  }

  get published(): readonly ChainHeadOf[] {
    return [...this.#published.values()];
  }

  /** The oldest heads when there are more than a ConfigMap can hold for long: to be kept elsewhere, and then to be retired. */
  crowd(): readonly ChainHeadOf[] {
    const excess = this.#published.size - KEYS_MAX;
    if (excess <= 0) return [];
    return this.published.toSorted((a, b) => a.at.localeCompare(b.at)).slice(0, excess + KEYS_MAX / 4);
  }

  earlier(namespace: string): readonly PublishedHead[] {
    const named = this.published
      .filter((head) => head.namespace === namespace)
      .sort((a, b) => b.at.localeCompare(a.at))
      .slice(0, EARLIER_MAX);
    this.#named.set(namespace, named);
    return named.map(({ writer, seq, hash, at }) => ({ writer, seq, hash, at }));
  }

  moved(namespace: string, { writer, seq, hash, at }: PublishedHead): void {
    this.#change(keyOf(namespace, writer), JSON.stringify({ seq, hash, at }));
    // The new chain vouches for the old ones it names; those that still grow stay.
    const limit = new Date(this.#options.clock.now() - RESTING_MS).toISOString();
    for (const head of this.#named.get(namespace) ?? []) if (head.at < limit) this.retire(head);
    this.#named.delete(namespace);
  }

  /** The head is kept elsewhere: it goes unless another replica has published a newer one of that chain meanwhile. */
  retire({ namespace, writer, hash }: ChainHeadOf): void {
    this.#retiring.set(keyOf(namespace, writer), hash);
    this.#schedule();
  }

  gone({ namespace, writer }: ChainRef): void {
    this.#change(keyOf(namespace, writer), null);
  }

  /** Writes what has changed now. Never rejects: what could not be written is tried again. */
  async publish(): Promise<void> {
    this.#enqueue();
    await this.#publishing;
  }

  /** Publishes what is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.publish();
    this.#timer?.[Symbol.dispose]();
  }

  #change(key: string, value: string | null): void {
    this.#changes.set(key, value);
    this.#schedule();
  }

  #schedule(): void {
    const { clock, intervalMs = INTERVAL_MS } = this.#options;
    // At once after a pause, so that a chain is known before its writer may be killed; then every interval.
    const delayMs = Math.max(PROMPT_MS, this.#writtenAt + intervalMs - clock.now());
    this.#timer ??= clock.timer(Math.min(delayMs, intervalMs), () => this.#enqueue());
  }

  /** One write after another. */
  #enqueue(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#publishing = this.#publishing.then(() => this.#write());
  }

  async #write(): Promise<void> {
    if (this.#changes.size === 0 && this.#retiring.size === 0) return;
    const { client, namespace, log } = this.#options;
    const own = new Map(this.#changes);
    const changes: Record<string, string | null> = Object.fromEntries(own);
    const at = { namespace, name: HEADS_CONFIG_MAP };
    this.#changes.clear();
    this.#writtenAt = this.#options.clock.now();
    try {
      const retired = await this.#retired();
      for (const key of retired) changes[key] ??= null;
      try {
        await client.mergePatch(configMaps, at, { data: changes }, { answer: 'metadata' });
      } catch (error) {
        if (!isNotFound(error)) throw error;
        await this.#create(changes);
      }
      for (const [key, text] of Object.entries(changes))
        if (text === null) this.#published.delete(key);
        else for (const head of parseHeads({ [key]: text })) this.#published.set(key, head);
      for (const key of retired) this.#retiring.delete(key);
    } catch (err) {
      log.warn({ err }, 'publishing the heads of the audit chains failed; trying again');
      for (const [key, value] of own) if (!this.#changes.has(key)) this.#changes.set(key, value);
      this.#schedule();
    }
  }

  async #read(): Promise<Readonly<Record<string, string>>> {
    const { client, namespace } = this.#options;
    try {
      return (await client.get(configMaps, { namespace, name: HEADS_CONFIG_MAP })).data ?? {};
    } catch (error) {
      if (isNotFound(error)) return {};
      throw error;
    }
  }

  /** Those that may go; what turns out to be newer is not named again. */
  async #retired(): Promise<string[]> {
    if (this.#retiring.size === 0) return [];
    const data = await this.#read();
    const keys: string[] = [];
    for (const [key, hash] of this.#retiring) {
      const text = data[key];
      if (text === undefined || text.includes(`"${hash}"`)) keys.push(key);
      else this.#retiring.delete(key);
    }
    return keys;
  }

  async #create(changes: Record<string, string | null>): Promise<void> {
    const { client, namespace } = this.#options;
    const kept = Object.entries(changes).filter((entry): entry is [string, string] => entry[1] !== null);
    const object: ConfigMap = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { namespace, name: HEADS_CONFIG_MAP },
      data: Object.fromEntries(kept),
    };
    try {
      await client.create(configMaps, object, { answer: 'metadata' });
    } catch (error) {
      // Another replica was faster.
      if (!isAlreadyExists(error)) throw error;
      const at = { namespace, name: HEADS_CONFIG_MAP };
      await client.mergePatch(configMaps, at, { data: changes }, { answer: 'metadata' });
    }
  }
}
