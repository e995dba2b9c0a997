/** The audit trail of one process: a chain in every namespace in which something happens. */
import type { AuditEvent } from '../../../common/api/audit.ts';
import type { ArtifactStore } from '../../store/store.ts';
import type { ChainRef } from '../../store/keys.ts';
import type { AuditTrail, RecordOptions } from '../audit.ts';
import { Chain } from './chain.ts';
import type { AuditClock, OnFailure } from './chain.ts';
import { clipped } from './clip.ts';
import type { PublishedHead } from './marks.ts';

/** Where the heads of chains are made known outside of the store. */
export interface HeadBoard {
  /** Heads of the chains of a namespace that were published before. */
  earlier(namespace: string): readonly PublishedHead[];
  moved(namespace: string, head: PublishedHead): void;
  /** The whole chain was trimmed. */
  gone(ref: ChainRef): void;
}

export interface AuditMeters {
  written(records: number, seconds: number): void;
  failed(records: number): void;
}

export interface ChainedAuditOptions {
  store: ArtifactStore;
  /** Never the same for two processes: whoever starts anew begins new chains, and nobody writes to those of another. */
  writer: string;
  clock: AuditClock;
  onFailure: OnFailure;
  board: HeadBoard;
  meters: AuditMeters;
  /** Told once when writing begins to fail in a namespace, not for each record. */
  onTrouble: (namespace: string, error: unknown) => void;
  patienceMs?: number;
}

/** How often a gap is tried to be recorded and memory is given back. */
const TEND_MS = 15_000;

export class ChainedAudit implements AuditTrail, AsyncDisposable {
  readonly #options: ChainedAuditOptions;
  readonly #chains = new Map<string, Chain>();
  readonly #troubled = new Set<string>();
  #tending: Disposable | undefined;
  #isOver = false;
  #tended: Promise<void> = Promise.resolve();

  constructor(options: ChainedAuditOptions) {
    this.#options = options;
  }

  get writer(): string {
    return this.#options.writer;
  }

  record(event: AuditEvent, options?: RecordOptions): Promise<void> {
    return this.mark(clipped(event), options);
  }

  /** A record about the chains themselves, whose details are not cut. */
  mark(event: AuditEvent, options?: RecordOptions): Promise<void> {
    this.#tend();
    return this.#chain(event.namespace).record(event, options);
  }

  /** Number of the first record of the segment that may still grow. */
  openSegment(namespace: string): number | undefined {
    return this.#chains.get(namespace)?.openSegment;
  }

  /** The chain of the namespace was trimmed away as a whole: what comes next begins another one. */
  forget(namespace: string): void {
    this.#chains.delete(namespace);
  }

  async flush(): Promise<void> {
    await Promise.all([...this.#chains.values()].map((chain) => chain.flush()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    this.#tending?.[Symbol.dispose]();
    await this.#tended;
    await this.flush();
  }

  #chain(namespace: string): Chain {
    const standing = this.#chains.get(namespace);
    if (standing !== undefined) return standing;
    const { writer, board, meters, onTrouble, ...rest } = this.#options;
    const chain = new Chain({
      ...rest,
      ref: { namespace, writer },
      earlier: () => board.earlier(namespace),
      onHead: (head) => board.moved(namespace, head),
      onWritten: (records, milliseconds) => {
        this.#troubled.delete(namespace);
        meters.written(records, milliseconds / 1000);
      },
      onFailed: (records, error) => {
        meters.failed(records);
        if (this.#troubled.has(namespace)) return;
        this.#troubled.add(namespace);
        onTrouble(namespace, error);
      },
    });
    this.#chains.set(namespace, chain);
    return chain;
  }

  #tend(): void {
    if (this.#isOver) return;
    this.#tending ??= this.#options.clock.timer(TEND_MS, () => {
      this.#tending = undefined;
      this.#tended = this.flush().then(() => {
        for (const chain of this.#chains.values()) chain.rest();
        if ([...this.#chains.values()].some(({ needsTending }) => needsTending)) this.#tend();
      });
    });
  }
}
