/**
 * The artifact store as the operator sees it: opaque keys with / between segments, bytes behind them.
 * Keys are `{namespace}/{session uid}/{log|artifacts|source|history|result|messages}/…` `_audit/…`, `_calls/…` and `_webhooks/…` (see keys.ts); the implementations know nothing of sessions.
 * Every method throws AmbientError `storage_full` or `storage_unavailable` when that is the cause.
 */
import type { Readable } from 'node:stream';

/** Age at which what is unfinished belongs to no writer any more: writers write, or fail, much sooner. */
export const TEMPORARY_MAX_AGE_MS = 3600_000;

export interface ObjectInfo {
  key: string;
  size: number;
  contentType: string;
  /** `sha256:` and hex, of the whole object. */
  digest: string;
  createdAt: Date;
  metadata: Record<string, string>;
}

export interface PutOptions {
  contentType: string;
  metadata?: Record<string, string>;
  /**
   * `process`: it survives this process from then on, but the machine only once it is flushed; until then a loss of power may leave a
   * damaged object. Default: `machine`.
   */
  survives?: 'machine' | 'process';
  /** Refuses with `digest_mismatch`, keeping what stood there before, when the bytes have another digest. */
  digest?: string;
  signal?: AbortSignal;
}

/** Bytes first..last, both included, as in HTTP. */
export interface ByteRange {
  first: number;
  last: number;
}

/** An object that arrives in pieces, in order, over several requests and operator restarts. */
export interface Upload {
  /** Bytes stored so far. */
  received(): Promise<number>;
  /** Appends at `offset`; throws `conflict` when offset is not `received()`. A piece cut short leaves nothing of itself. */
  append(offset: number, body: Readable, signal?: AbortSignal): Promise<number>;
  /** Makes the object visible; throws `digest_mismatch` and forgets the pieces when the digest differs. */
  complete(options: PutOptions): Promise<ObjectInfo>;
  abort(): Promise<void>;
}

export interface ArtifactStore {
  /** Replaces atomically: readers see the old object or the new one, never a part. */
  put(key: string, body: Readable | Buffer, options: PutOptions): Promise<ObjectInfo>;
  /** What was put to survive the process survives the machine, too, from then on. Absent is no error. */
  flush(key: string): Promise<void>;
  /**
   * Throws `not_found`, `range_not_satisfiable` for a range that is not inside the object, and `storage_unavailable` with the key in
   * `details.damaged` when the volume has lost bytes of it. The stream reads only `range` when given; whoever asked must read it to the
   * end or destroy it.
   */
  get(key: string, range?: ByteRange): Promise<{ info: ObjectInfo; body: Readable }>;
  /** Undefined when there is none. */
  stat(key: string): Promise<ObjectInfo | undefined>;
  /** Objects below a prefix that ends with /, in ascending order of key (its UTF-8 bytes). */
  list(prefix: string): AsyncIterable<ObjectInfo>;
  /** Only the keys, and only those greater than `after`: cheap enough to be asked several times a second. */
  listKeys(prefix: string, after?: string): Promise<string[]>;
  /** The distinct next segments below a prefix, for example the session UIDs of a namespace. */
  listFolders(prefix: string): Promise<string[]>;
  /** Removes everything below a prefix that ends with /, or one object. Absent is no error. */
  remove(keyOrPrefix: string): Promise<void>;
  upload(key: string): Upload;
  /** Removes what writes that broke off have left behind, once it is old; how much that was. */
  sweepTemporary(): Promise<number>;
  /** Throws `storage_unavailable` or `storage_full` when a write would fail now. */
  check(): Promise<void>;
}
