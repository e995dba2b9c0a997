/**
 * One chain as its writer sees it: records that come at the same time share one write, and each is told when it is on the
 * volume. The newest segment is written anew as a whole each time: the store replaces atomically, so that no crash leaves
 * half a line.
 */
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { AuditEvent } from '../../../common/api/audit.ts';
import { AmbientError, messageOf } from '../../../common/errors.ts';
import { nextLink } from '../../../common/rules/audit-chain.ts';
import type { ChainHead, Hash } from '../../../common/rules/audit-chain.ts';
import { keys } from '../../store/keys.ts';
import type { ChainRef } from '../../store/keys.ts';
import type { ArtifactStore } from '../../store/store.ts';
import type { RecordOptions } from '../audit.ts';
import { beginMark, gapMark } from './marks.ts';
import type { Gap, PublishedHead } from './marks.ts';

export const sha256: Hash = (text) => createHash('sha256').update(text, 'utf8').digest('hex');

/** What to do with what cannot be recorded: refuse it, or let it happen and record the gap afterwards. */
export type OnFailure = 'stop' | 'continue';

export interface AuditClock {
  now(): number;
  timer(delayMs: number, fire: () => void): Disposable;
}

export interface ChainOptions {
  ref: ChainRef;
  store: ArtifactStore;
  clock: AuditClock;
  onFailure: OnFailure;
  /** Heads of the other chains of the namespace, as published. */
  earlier: () => readonly PublishedHead[];
  /** The chain has grown, durably. */
  onHead: (head: PublishedHead) => void;
  onWritten: (records: number, milliseconds: number) => void;
  onFailed: (records: number, error: unknown) => void;
  /** Default 10 s. */
  patienceMs?: number;
}

/** A segment is closed once it has so many bytes: what is written again with each record stays little. */
export const SEGMENT_BYTES = 16 * 1024;
/** A namespace that is quiet for so long gives back the memory of its segment, and begins another one. */
const IDLE_MS = 600_000;
const BATCH_MAX = 500;
/** A write costs as much as a hundred records: those that are patient wait so long for others to share theirs. */
const PATIENT_MS = 20;
const PATIENCE_MS = 10_000;

interface Waiting {
  event: AuditEvent;
  resolve: () => void;
  reject: (error: AmbientError) => void;
}

interface Segment {
  first: number;
  bytes: Buffer;
  writtenAt: number;
}

export class Chain {
  readonly #options: ChainOptions;
  #head: ChainHead | undefined;
  #segment: Segment | undefined;
  #waiting: Waiting[] = [];
  /** Ends the wait of those that are patient: one that is not has come. */
  #hurry = new AbortController();
  #draining: Promise<void> | undefined;
  #gap: Gap | undefined;
  /** A write takes longer than anybody waits; nothing may follow it before it is known how it ends. */
  #isStalled = false;

  constructor(options: ChainOptions) {
    this.#options = options;
  }

  /** Number of the first record of the segment that may still grow. */
  get openSegment(): number | undefined {
    return this.#segment?.first;
  }

  get needsTending(): boolean {
    return this.#gap !== undefined || this.#segment !== undefined;
  }

  /** Resolves when the record is durable; rejects with audit_unavailable when it cannot be, unless that is let pass. */
  record(event: AuditEvent, { isPatient = false }: RecordOptions = {}): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting = { event, resolve, reject };
    if (this.#isStalled) this.#fail([waiting], new Error('an earlier write has not ended yet'));
    else this.#waiting.push(waiting);
    if (!isPatient) this.#hurry.abort();
    this.#draining ??= this.#drain();
    return promise;
  }

  /** All that was to be recorded is, or has failed; a gap as well. */
  async flush(): Promise<void> {
    if (this.#gap !== undefined && !this.#isStalled) this.#draining ??= this.#drain();
    await this.#draining;
  }

  /** Memory of a segment nobody writes to. */
  rest(): void {
    if (this.#segment !== undefined && this.#isIdle(this.#segment)) this.#segment = undefined;
  }

  async #drain(): Promise<void> {
    // What comes in the same turn of the event loop goes into the same write.
    await new Promise<void>((resolve) => setImmediate(resolve));
    do {
      if (this.#waiting.length > 0 && !this.#hurry.signal.aborted)
        await pause(PATIENT_MS, undefined, this.#hurry).catch(() => undefined);
      this.#hurry = new AbortController();
      await this.#writeBatch(this.#waiting.splice(0, BATCH_MAX));
    } while (this.#waiting.length > 0);
    this.#draining = undefined;
  }

  async #writeBatch(batch: readonly Waiting[]): Promise<void> {
    const { clock, patienceMs = PATIENCE_MS, onWritten } = this.#options;
    const started = performance.now();
    using _patience = clock.timer(patienceMs, () => {
      this.#isStalled = true;
      const stalled = new Error(`a write takes longer than ${patienceMs / 1000} s`);
      this.#fail([...batch, ...this.#waiting.splice(0)], stalled);
    });
    try {
      await this.#append(batch.map(({ event }) => event));
      for (const { resolve } of batch) resolve();
      onWritten(batch.length, performance.now() - started);
    } catch (error) {
      // Those who lost patience were told already, and counted.
      if (!this.#isStalled) this.#fail(batch, error);
    }
    this.#isStalled = false;
  }

  async #append(events: readonly AuditEvent[]): Promise<void> {
    const { ref, store, clock, onFailure, earlier, onHead } = this.#options;
    const gap = this.#gap;
    const all = [
      ...(this.#head === undefined ? [beginMark(ref.namespace, earlier())] : []),
      ...(gap === undefined ? [] : [gapMark(ref.namespace, gap, onFailure === 'stop')]),
      ...events,
    ];
    const now = clock.now();
    const timestamp = new Date(now).toISOString();
    let head = this.#head;
    let text = '';
    for (const event of all) {
      const link = nextLink(event, { writer: ref.writer, timestamp, before: head }, sha256);
      head = link.record;
      text += `${link.line}\n`;
    }
    if (head === undefined || all.length === 0) return;
    const open = this.#open();
    const bytes = Buffer.concat([open?.bytes ?? Buffer.alloc(0), Buffer.from(text)]);
    const first = open?.first ?? (this.#head?.seq ?? 0) + 1;
    await store.put(keys.auditSegment(ref, first), bytes, { contentType: 'application/x-ndjson' });
    this.#head = { seq: head.seq, hash: head.hash };
    this.#segment = { first, bytes, writtenAt: now };
    // A write may have failed while this one was stalled.
    if (this.#gap === gap) this.#gap = undefined;
    onHead({ writer: ref.writer, ...this.#head, at: timestamp });
  }

  #open(): Segment | undefined {
    const segment = this.#segment;
    return segment === undefined || segment.bytes.length >= SEGMENT_BYTES || this.#isIdle(segment)
      ? undefined
      : segment;
  }

  #isIdle({ writtenAt }: Segment): boolean {
    return this.#options.clock.now() - writtenAt > IDLE_MS;
  }

  #fail(batch: readonly Waiting[], error: unknown): void {
    if (batch.length === 0) return;
    const { clock, onFailure, onFailed } = this.#options;
    const now = new Date(clock.now()).toISOString();
    this.#gap = {
      records: (this.#gap?.records ?? 0) + batch.length,
      from: this.#gap?.from ?? now,
      to: now,
      reason: messageOf(error).slice(0, 200),
    };
    onFailed(batch.length, error);
    const refusal = new AmbientError('audit_unavailable', `it cannot be recorded: ${messageOf(error)}`, {
      cause: error,
    });
    for (const { resolve, reject } of batch) {
      if (onFailure === 'continue') resolve();
      else reject(refusal);
    }
  }
}
