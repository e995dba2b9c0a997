/**
 * Writing one object. Small ones in one request; larger ones in parts, of which nothing is seen before the last request.
 * Their digest stands in metadata that S3 wants first: it is the one that was announced, or else the object is made aside
 * and copied to its place when its digest is known.
 */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { AmbientError } from '../../../common/errors.ts';
import { chunksOf } from '../body.ts';
import { digestMismatch } from '../storage-errors.ts';
import type { PutOptions } from '../store.ts';
import { metadataOf } from './description.ts';
import { codeOf } from './errors.ts';
import { PART_BYTES, partsOf } from './parts.ts';
import type { Part } from './parts.ts';

/** Beyond this S3 does not copy in one request. */
const COPIED_MAX = 5 * 1024 ** 3;

export interface Writing {
  client: S3Client;
  bucket: string;
  now: () => Date;
  /** A name that nobody else uses or lists. */
  temporaryName: () => string;
  remove: (name: string) => Promise<void>;
}

export interface Written {
  size: number;
  digest: string;
  createdAt: Date;
}

export interface WriteOptions extends PutOptions {
  /** Only where nothing stands. */
  isNew?: boolean;
}

export async function writeObject(
  writing: Writing,
  name: string,
  body: Readable | Buffer,
  options: WriteOptions,
): Promise<Written> {
  const hash = createHash('sha256');
  const hashed = async function* (): AsyncGenerator<Buffer, void, undefined> {
    for await (const chunk of chunksOf(body, options.signal)) {
      hash.update(chunk);
      yield chunk;
    }
  };
  const parts = partsOf(hashed(), PART_BYTES);
  const { value: first } = await parts.next();
  if (first === undefined) throw new Error('there is always a part');
  const digestNow = (): string => {
    const digest = `sha256:${hash.digest('hex')}`;
    if (options.digest !== undefined && options.digest !== digest)
      throw digestMismatch(options.digest, digest);
    return digest;
  };
  if (first.isLast) {
    const written = { size: first.bytes.length, digest: digestNow(), createdAt: writing.now() };
    await writing.client.send(
      new PutObjectCommand({
        ...target(writing, name, options, metadataOf(options, written)),
        Body: first.bytes,
        ...onlyNew(options),
      }),
      signalOf(options),
    );
    return written;
  }
  const rest = (async function* () {
    yield first;
    yield* parts;
  })();
  if (options.digest !== undefined) {
    const written = { digest: options.digest, createdAt: writing.now() };
    const size = await writeParts(writing, name, rest, options, metadataOf(options, written), digestNow);
    return { ...written, size };
  }
  const createdAt = writing.now();
  // What is wrong with the options is told before gigabytes were sent.
  metadataOf(options, { digest: `sha256:${'0'.repeat(64)}`, createdAt });
  const aside = writing.temporaryName();
  let digest = '';
  try {
    const size = await writeParts(writing, aside, rest, options, {}, () => (digest = digestNow()));
    if (size > COPIED_MAX)
      throw new AmbientError('invalid_request', 'an object above 5 GiB needs its digest announced');
    const metadata = metadataOf(options, { digest, createdAt });
    await writing.client.send(
      new CopyObjectCommand({
        ...target(writing, name, options, metadata),
        CopySource: `${writing.bucket}/${encodeURIComponent(aside)}`,
        MetadataDirective: 'REPLACE',
        ...onlyNew(options),
      }),
      signalOf(options),
    );
    return { size, digest, createdAt };
  } finally {
    // What stays is swept.
    await writing.remove(aside).catch(() => undefined);
  }
}

/** The size. Leaves nothing behind when it fails, unless the server does not answer: then it is swept. */
async function writeParts(
  writing: Writing,
  name: string,
  parts: AsyncIterable<Part>,
  options: WriteOptions,
  metadata: Record<string, string>,
  assertWhole: () => void,
): Promise<number> {
  const { client, bucket } = writing;
  const place = { Bucket: bucket, Key: name };
  const { UploadId = '' } = await client.send(
    new CreateMultipartUploadCommand(target(writing, name, options, metadata)),
    signalOf(options),
  );
  try {
    const done: { PartNumber: number; ETag: string }[] = [];
    let size = 0;
    for await (const { bytes } of parts) {
      const PartNumber = done.length + 1;
      const { ETag = '' } = await client.send(
        new UploadPartCommand({ ...place, UploadId, PartNumber, Body: bytes }),
        signalOf(options),
      );
      done.push({ PartNumber, ETag });
      size += bytes.length;
    }
    assertWhole();
    await complete(writing, name, UploadId, done, options, metadata);
    return size;
  } catch (error) {
    await client.send(new AbortMultipartUploadCommand({ ...place, UploadId })).catch(() => undefined);
    throw error;
  }
}

async function complete(
  { client, bucket }: Writing,
  name: string,
  UploadId: string,
  Parts: { PartNumber: number; ETag: string }[],
  options: WriteOptions,
  metadata: Record<string, string>,
): Promise<void> {
  const place = { Bucket: bucket, Key: name };
  try {
    await client.send(
      new CompleteMultipartUploadCommand({
        ...place,
        UploadId,
        MultipartUpload: { Parts },
        ...onlyNew(options),
      }),
      signalOf(options),
    );
  } catch (error) {
    // Its answer was lost and it was asked again: then it is there.
    if (codeOf(error) !== 'NoSuchUpload') throw error;
    const { Metadata = {} } = await client.send(new HeadObjectCommand(place));
    if (Object.entries(metadata).some(([key, value]) => Metadata[key] !== value)) throw error;
  }
}

const target = (
  { bucket }: Writing,
  Key: string,
  { contentType }: PutOptions,
  Metadata: Record<string, string>,
) => ({ Bucket: bucket, Key, ContentType: contentType, Metadata });

const onlyNew = ({ isNew }: WriteOptions): { IfNoneMatch?: string } =>
  isNew === true ? { IfNoneMatch: '*' } : {};

const signalOf = ({ signal }: PutOptions): { abortSignal?: AbortSignal } =>
  signal === undefined ? {} : { abortSignal: signal };
