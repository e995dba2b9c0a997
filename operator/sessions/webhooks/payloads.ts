/**
 * The whole of what a source sent, as an artifact of the session it started. What is too long for memory waits in the store
 * until it is known whose it is.
 */
import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { Session } from '../../../common/api/session.ts';
import { AmbientError } from '../../../common/errors.ts';
import { OPERATOR_ARTIFACTS } from '../../../common/api/names.ts';
import { keys, refOf } from '../../store/keys.ts';
import type { ArtifactStore } from '../../store/store.ts';
import { Memory } from './memory.ts';
import type { MemoryShare } from './memory.ts';
import { Places } from './places.ts';

export const PAYLOAD_ARTIFACT = `${OPERATOR_ARTIFACTS}trigger-payload`;

export interface Payload {
  contentType: string;
  /** `sha256:` and hex. */
  digest: string;
  size: number;
  /** In memory, or where in the store it waits. */
  body: Buffer | { waiting: string };
}

/** Older than any request. */
const WAITING_MAX_MS = 3600_000;
/** In the store at once: of holders of a key, and of senders of whom nothing is known yet, who shall not keep those out. */
const PLACES = { known: 5, unknown: 3 };
/** In memory at once, of each of both. */
const MEMORY_BYTES = 64 * 1024 * 1024;
/** For a place: who has gone by then is not waited for. */
const PATIENCE_MS = 15_000;

/** known: has shown a key. */
export type Sender = 'known' | 'unknown';

export class Payloads {
  readonly #store: ArtifactStore;
  readonly #now: () => number;
  readonly #places = {
    known: new Places(PLACES.known, PATIENCE_MS),
    unknown: new Places(PLACES.unknown, PATIENCE_MS),
  };
  readonly #memory = { known: new Memory(MEMORY_BYTES), unknown: new Memory(MEMORY_BYTES) };

  constructor(store: ArtifactStore, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /** What one body may hold while it comes in. */
  memory(sender: Sender): MemoryShare {
    return this.#memory[sender].share();
  }

  /**
   * Puts what comes in where it waits. Forget it afterwards, in any case.
   * @throws AmbientError `unavailable` when too many come in at once, and what the store throws
   */
  async wait(body: Readable, sender: Sender, signal: AbortSignal): Promise<string> {
    using place = await this.#places[sender].take(signal);
    if (place === undefined)
      throw new AmbientError('unavailable', 'too many long bodies are coming in at once');
    const key = keys.waitingPayload(randomUUID());
    await this.#store.put(key, body, { contentType: 'application/octet-stream', signal });
    return key;
  }

  async forget({ body }: Pick<Payload, 'body'>): Promise<void> {
    if (!Buffer.isBuffer(body)) await this.#store.remove(body.waiting);
  }

  /** What requests that broke off with their process have left. */
  async sweep(): Promise<void> {
    for await (const { key, createdAt } of this.#store.list(keys.waitingPayloads))
      if (createdAt.getTime() < this.#now() - WAITING_MAX_MS) await this.#store.remove(key);
  }

  async has(session: Session): Promise<boolean> {
    return (await this.#store.stat(keys.artifact(refOf(session), PAYLOAD_ARTIFACT))) !== undefined;
  }

  /** Throws what the store throws. */
  async keep(session: Session, { body, contentType, digest }: Payload): Promise<void> {
    const from = Buffer.isBuffer(body) ? body : (await this.#store.get(body.waiting)).body;
    await this.#store.put(keys.artifact(refOf(session), PAYLOAD_ARTIFACT), from, {
      contentType,
      metadata: { type: 'intermediate' },
      digest,
    });
  }
}
