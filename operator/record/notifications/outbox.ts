/**
 * The outbox: notifications that were not delivered yet, in the artifact store, so that they outlive the operator. A stream is
 * what one target is told about one session, and is worked off in order. The ledger of a session says what has been put in.
 *
 *   _outbox/{namespace}/since.json                       when notifications were first wanted there
 *   _outbox/{namespace}/dead.json                        how many were given up, and the newest of them
 *   _outbox/{namespace}/{subject}/ledger.json            ids of notifications put in; subject: UID of the session or policy
 *   _outbox/{namespace}/{subject}/{target}/{number}.json  one notification for one target
 */
import { buffer } from 'node:stream/consumers';
import type { NamespacePolicyStatus } from '../../../common/api/namespace-policy.ts';
import { isAmbientError } from '../../../common/errors.ts';
import type { ArtifactStore } from '../../store/store.ts';
import type { Notification } from './events.ts';

const ROOT = '_outbox/';
const DIGITS = 12;
const DEAD_KEPT = 20;
/** Ids a ledger keeps; a policy gives cause for two a month, a session for six in its life. */
const LEDGER_MAX = 100;

export interface Entry {
  key: string;
  notification: Notification;
  /** RFC 3339: from when on the time counts after which it is given up. */
  since: string;
}

export type DeadLetter = NonNullable<
  NonNullable<NamespacePolicyStatus['notifications']>['deadLetters']
>[number];

export interface Dead {
  failed: number;
  newest: DeadLetter[];
}

interface Ledger {
  ids: string[];
  next: number;
}

/** `{namespace}/{subject}/{target}` */
export type StreamKey = `${string}/${string}/${string}`;

export class Outbox {
  readonly #store: ArtifactStore;
  #burying: Promise<unknown> = Promise.resolve();

  constructor(store: ArtifactStore) {
    this.#store = store;
  }

  /** When notifications were first wanted in the namespace: what happened before is no news. Sets it when it is not set. */
  async since(namespace: string, now: string): Promise<string> {
    const key = `${ROOT}${namespace}/since.json`;
    const known = await this.#read<{ since: string }>(key);
    if (known !== undefined) return known.since;
    await this.#write(key, { since: now });
    return now;
  }

  /** Notifications are not wanted there any more, or there is no policy that could tell of them. */
  async forgetNamespace(namespace: string): Promise<void> {
    for (const name of ['since', 'dead']) await this.#store.remove(`${ROOT}${namespace}/${name}.json`);
  }

  /**
   * Puts in what is not in the ledger, in order, for each of its targets, and returns by how much which streams have grown.
   * Repeating it after a crash puts nothing in twice but what may have been delivered meanwhile, under the same id.
   */
  async put(
    namespace: string,
    subject: string,
    notifications: readonly { notification: Notification; targets: readonly string[] }[],
    since: string,
  ): Promise<Map<StreamKey, number>> {
    const root = `${ROOT}${namespace}/${subject}/`;
    const ledger = (await this.#read<Ledger>(`${root}ledger.json`)) ?? { ids: [], next: 1 };
    const fresh = notifications.filter(({ notification }) => !ledger.ids.includes(notification.id));
    const grown = new Map<StreamKey, number>();
    if (fresh.length === 0) return grown;
    let next = ledger.next;
    for (const { notification, targets } of fresh) {
      const number = String(next++).padStart(DIGITS, '0');
      for (const target of targets) {
        await this.#write(`${root}${target}/${number}.json`, { notification, since });
        const stream: StreamKey = `${namespace}/${subject}/${target}`;
        grown.set(stream, (grown.get(stream) ?? 0) + 1);
      }
    }
    const ids = [...ledger.ids, ...fresh.map(({ notification }) => notification.id)].slice(-LEDGER_MAX);
    await this.#write(`${root}ledger.json`, { ids, next } satisfies Ledger);
    return grown;
  }

  /** The oldest of a stream; undefined when it is empty. */
  async first(stream: StreamKey): Promise<Entry | undefined> {
    for (const key of await this.#store.listKeys(`${ROOT}${stream}/`)) {
      const entry = await this.#read<Omit<Entry, 'key'>>(key);
      if (entry !== undefined) return { ...entry, key };
    }
    return undefined;
  }

  /** It was delivered, or is not wanted any more. */
  async remove(entry: Entry): Promise<void> {
    await this.#store.remove(entry.key);
  }

  /** Gives one up: it is put where people see it before it is taken from its stream. */
  async bury(namespace: string, entry: Entry, letter: DeadLetter): Promise<void> {
    // One after another: each adds to what the one before has written.
    const turn = this.#burying.then(() => this.#bury(namespace, entry, letter));
    this.#burying = turn.catch(() => undefined);
    await turn;
  }

  async #bury(namespace: string, entry: Entry, letter: DeadLetter): Promise<void> {
    const { failed, newest } = await this.dead(namespace);
    const isNew = !newest.some(({ id, target }) => id === letter.id && target === letter.target);
    if (isNew)
      await this.#write(`${ROOT}${namespace}/dead.json`, {
        failed: failed + 1,
        newest: [letter, ...newest].slice(0, DEAD_KEPT),
      } satisfies Dead);
    await this.remove(entry);
  }

  async dead(namespace: string): Promise<Dead> {
    return (await this.#read<Dead>(`${ROOT}${namespace}/dead.json`)) ?? { failed: 0, newest: [] };
  }

  /** Streams with something in them, and subjects that have nothing but their ledger. */
  async scan(): Promise<{ streams: Map<StreamKey, number>; idle: { namespace: string; subject: string }[] }> {
    const streams = new Map<StreamKey, number>();
    const idle: { namespace: string; subject: string }[] = [];
    for (const namespace of await this.#store.listFolders(ROOT)) {
      for (const subject of await this.#store.listFolders(`${ROOT}${namespace}/`)) {
        let waiting = 0;
        for (const target of await this.#store.listFolders(`${ROOT}${namespace}/${subject}/`)) {
          const { length } = await this.#store.listKeys(`${ROOT}${namespace}/${subject}/${target}/`);
          if (length > 0) streams.set(`${namespace}/${subject}/${target}`, length);
          waiting += length;
        }
        if (waiting === 0) idle.push({ namespace, subject });
      }
    }
    return { streams, idle };
  }

  async hasWaiting(namespace: string, subject: string): Promise<boolean> {
    const root = `${ROOT}${namespace}/${subject}/`;
    return (await this.#store.listKeys(root)).some((key) => key !== `${root}ledger.json`);
  }

  /** The session is gone, and everybody was told. */
  async forget(namespace: string, subject: string): Promise<void> {
    await this.#store.remove(`${ROOT}${namespace}/${subject}/`);
  }

  async #read<T>(key: string): Promise<T | undefined> {
    try {
      const { body } = await this.#store.get(key);
      // Written by this class alone.
      return JSON.parse((await buffer(body)).toString('utf8')) as T;
    } catch (error) {
      if (isAmbientError(error, 'not_found')) return undefined;
      throw error;
    }
  }

  async #write(key: string, value: object): Promise<void> {
    await this.#store.put(key, Buffer.from(JSON.stringify(value)), { contentType: 'application/json' });
  }
}
