/** The artifact store in a bucket of S3, or of any server that speaks it, which several replicas may share. */
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { GetObjectCommand, HeadBucketCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import type { GetObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import { AmbientError } from '../../../common/errors.ts';
import { InTurn } from '../in-turn.ts';
import { compareKeys } from '../key-order.ts';
import { TEMPORARY_MAX_AGE_MS } from '../store.ts';
import type { ArtifactStore, ByteRange, ObjectInfo, PutOptions, Upload } from '../store.ts';
import { s3Client } from './client.ts';
import type { S3ClientOptions } from './client.ts';
import { infoOf } from './description.ts';
import { codeOf, isMissing, s3Error, statusOf } from './errors.ts';
import { folderName, keyOf, nameOf, startAfter } from './names.ts';
import { S3Objects } from './objects.ts';
import { ResumedStream } from './resumed.ts';
import { sweep } from './sweep.ts';
import { S3Upload } from './upload.ts';
import { writeObject } from './write.ts';
import type { Writing } from './write.ts';

export interface S3StoreOptions extends S3ClientOptions {
  now?: () => Date;
  uniqueName?: () => string;
}

/** No key begins with a dot. */
const TEMPORARY = '.tmp/';
const UPLOADS = '.uploads/';
/** No encoded key ends with it. */
const PIECES = '!/';
const STATS_AT_ONCE = 16;
/** For so long a bucket that was there is not asked for again. */
const BUCKET_SEEN_MS = 30_000;
const RANGE_NOT_SATISFIABLE = 416;

export class S3Store implements ArtifactStore {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #objects: S3Objects;
  readonly #writing: Writing;
  readonly #now: () => Date;
  /** Those who append to the same upload in this process. */
  readonly #appending = new InTurn();
  #bucketSeenAt = -Infinity;

  constructor(options: S3StoreOptions) {
    const { bucket, prefix, now = () => new Date(), uniqueName = randomUUID } = options;
    this.#client = s3Client(options);
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.#now = now;
    this.#objects = new S3Objects(this.#client, bucket);
    this.#writing = {
      client: this.#client,
      bucket,
      now,
      temporaryName: () => prefix + TEMPORARY + uniqueName(),
      remove: (name) => this.#objects.remove(name),
    };
  }

  put(key: string, body: Readable | Buffer, options: PutOptions): Promise<ObjectInfo> {
    const name = nameOf(this.#prefix, key);
    return this.#guard(async () => {
      const { size, digest, createdAt } = await writeObject(this.#writing, name, body, options);
      const { contentType, metadata = {} } = options;
      return { key, size, contentType, digest, createdAt, metadata: { ...metadata } };
    }, options.signal);
  }

  /** What S3 has acknowledged is durable. */
  async flush(): Promise<void> {}

  get(key: string, range?: ByteRange): Promise<{ info: ObjectInfo; body: Readable }> {
    const name = nameOf(this.#prefix, key);
    return this.#guard(async () => {
      if (range !== undefined && (range.first < 0 || range.first > range.last))
        throw outside((await this.#head(key, name))?.size, key);
      const answer = await this.#open(key, name, range);
      const size = range === undefined ? (answer.ContentLength ?? 0) : sizeOf(answer.ContentRange);
      const info = infoOf(key, size, answer);
      const body = answer.Body as Readable;
      if (info === undefined || (range !== undefined && range.last >= size)) {
        body.on('error', () => undefined).destroy();
        throw info === undefined ? absent(key) : outside(size, key);
      }
      if (size === 0) {
        body.resume();
        return { info, body: Readable.from([]) };
      }
      return { info, body: this.#resumed(name, answer, range ?? { first: 0, last: size - 1 }) };
    });
  }

  stat(key: string): Promise<ObjectInfo | undefined> {
    const name = nameOf(this.#prefix, key);
    return this.#guard(() => this.#head(key, name));
  }

  async *list(prefix: string): AsyncGenerator<ObjectInfo, void, undefined> {
    const keys = await this.listKeys(prefix);
    for (let start = 0; start < keys.length; start += STATS_AT_ONCE) {
      const infos = await Promise.all(keys.slice(start, start + STATS_AT_ONCE).map((key) => this.stat(key)));
      // Undefined when removed since it was listed.
      for (const info of infos) if (info !== undefined) yield info;
    }
  }

  listKeys(prefix: string, after = ''): Promise<string[]> {
    const folder = folderName(this.#prefix, prefix);
    return this.#guard(async () => {
      const from = after === '' ? undefined : startAfter(this.#prefix, after);
      const keys: string[] = [];
      for await (const { name } of this.#objects.list(folder, from)) {
        const key = keyOf(this.#prefix, name);
        if (!key.startsWith('.') && (after === '' || compareKeys(key, after) > 0)) keys.push(key);
      }
      // Not every server lists by bytes.
      return keys.sort(compareKeys);
    });
  }

  listFolders(prefix: string): Promise<string[]> {
    const folder = folderName(this.#prefix, prefix);
    return this.#guard(async () => {
      const found = await this.#objects.folders(folder);
      const isOwn = (segment: string): boolean => prefix === '' && segment.startsWith('.');
      return found
        .filter((segment) => !isOwn(segment))
        .map((segment) => keyOf('', segment))
        .sort(compareKeys);
    });
  }

  remove(keyOrPrefix: string): Promise<void> {
    if (keyOrPrefix === '') throw new AmbientError('invalid_request', 'the whole store is never removed');
    if (!keyOrPrefix.endsWith('/')) {
      const name = nameOf(this.#prefix, keyOrPrefix);
      return this.#guard(() => this.#objects.remove(name));
    }
    const folder = folderName(this.#prefix, keyOrPrefix);
    return this.#guard(async () => {
      await this.#objects.removeAll(folder);
      await this.#objects.removeAll(folderName(this.#prefix + UPLOADS, keyOrPrefix));
    });
  }

  upload(key: string): Upload {
    const name = nameOf(this.#prefix + UPLOADS, key);
    return new S3Upload({
      prefix: `${name}${PIECES}`,
      objects: this.#objects,
      write: (piece, body, options) => writeObject(this.#writing, piece, body, options),
      read: async (piece) => {
        const answer = await this.#open(key, piece);
        return this.#resumed(piece, answer, { first: 0, last: (answer.ContentLength ?? 0) - 1 });
      },
      publish: (body, options) => this.put(key, body, options),
      guard: (work) => this.#guard(work),
      inTurn: (work) => this.#appending.run(key, work),
    });
  }

  check(): Promise<void> {
    return this.#guard(async () => {
      const probe = this.#writing.temporaryName();
      await writeObject(this.#writing, probe, Buffer.from('probe'), { contentType: 'text/plain' });
      await this.#objects.remove(probe);
    });
  }

  /** Removes parts of objects that were never completed, and objects made aside. The count. */
  sweepTemporary(): Promise<number> {
    const before = new Date(this.#now().getTime() - TEMPORARY_MAX_AGE_MS);
    const temporary = this.#prefix + TEMPORARY;
    const sweeping = { client: this.#client, bucket: this.#bucket, prefix: this.#prefix, temporary };
    return this.#guard(() => sweep({ ...sweeping, objects: this.#objects }, before));
  }

  close(): void {
    this.#client.destroy();
  }

  async #open(key: string, name: string, range?: ByteRange, etag?: string): Promise<GetObjectCommandOutput> {
    try {
      return await this.#client.send(
        new GetObjectCommand({
          Bucket: this.#bucket,
          Key: name,
          ...(range === undefined ? {} : { Range: `bytes=${range.first}-${range.last}` }),
          ...(etag === undefined ? {} : { IfMatch: etag }),
        }),
      );
    } catch (error) {
      if (isMissing(error)) throw absent(key);
      if (statusOf(error) === RANGE_NOT_SATISFIABLE || codeOf(error) === 'InvalidRange')
        throw outside((await this.#head(key, name))?.size, key);
      throw error;
    }
  }

  #resumed(name: string, answer: GetObjectCommandOutput, range: ByteRange): Readable {
    return new ResumedStream({
      first: answer.Body as Readable,
      size: range.last - range.first + 1,
      again: async (offset) => {
        const rest = { first: range.first + offset, last: range.last };
        return (await this.#open(name, name, rest, answer.ETag)).Body as Readable;
      },
      errorOf: (error) => s3Error(error, this.#bucket),
    });
  }

  async #head(key: string, name: string): Promise<ObjectInfo | undefined> {
    try {
      const head = await this.#client.send(new HeadObjectCommand({ Bucket: this.#bucket, Key: name }));
      this.#bucketSeenAt = performance.now();
      return infoOf(key, head.ContentLength ?? 0, head);
    } catch (error) {
      if (!isMissing(error)) throw error;
      await this.#checkBucket();
      return undefined;
    }
  }

  /** An absent bucket is not an absent object, but HEAD has no words to tell them apart. */
  async #checkBucket(): Promise<void> {
    if (performance.now() - this.#bucketSeenAt < BUCKET_SEEN_MS) return;
    try {
      await this.#client.send(new HeadBucketCommand({ Bucket: this.#bucket }));
      this.#bucketSeenAt = performance.now();
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
      throw new AmbientError(
        'storage_unavailable',
        `the artifact store's bucket ${this.#bucket} does not exist`,
      );
    }
  }

  async #guard<R>(work: () => Promise<R>, signal?: AbortSignal): Promise<R> {
    try {
      return await work();
    } catch (error) {
      // The client library has its own error for that.
      if (signal?.aborted === true) throw signal.reason;
      throw s3Error(error, this.#bucket);
    }
  }
}

const absent = (key: string): AmbientError =>
  new AmbientError('not_found', `there is nothing at ${JSON.stringify(key)}`);

const outside = (size: number | undefined, key: string): AmbientError =>
  size === undefined
    ? absent(key)
    : new AmbientError('range_not_satisfiable', `the object has ${size} bytes`, { details: { size } });

/** Of the whole object, as `bytes 3-5/10` says. */
const sizeOf = (contentRange: string | undefined): number => Number(contentRange?.split('/')[1] ?? 0);
