/**
 * One object in one file: its bytes, then a description, then eight bytes that say where that begins. Being one file,
 * bytes, digest and metadata cannot disagree after a crash; the bytes come first, so plain tools can read them too.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { AmbientError } from '../../common/errors.ts';
import type { ObjectInfo, PutOptions } from './store.ts';

const MAGIC = 'AMB1';
const FOOTER_BYTES = 8;
/** Read at once from the end: nearly every description fits. */
const TAIL_BYTES = 1024;
const DESCRIPTION_MAX = 64 * 1024;

interface Description {
  key: string;
  size: number;
  contentType: string;
  digest: string;
  createdAt: string;
  metadata?: Record<string, string>;
}

/** Opens for reading; a symbolic link in the place of the file is an error, not a way out. */
export const openForReading = (path: string): Promise<FileHandle> =>
  open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);

export function descriptionOf(
  key: string,
  written: { size: number; digest: string; createdAt: Date },
  options: PutOptions,
): { info: ObjectInfo; bytes: Buffer } {
  const { size, digest, createdAt } = written;
  const metadata = options.metadata ?? {};
  const description: Description = {
    key,
    size,
    contentType: options.contentType,
    digest,
    createdAt: createdAt.toISOString(),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
  };
  const text = Buffer.from(`\n${JSON.stringify(description)}`, 'utf8');
  if (text.length > DESCRIPTION_MAX) {
    throw new AmbientError('invalid_request', 'content type and metadata of an object are too long');
  }
  const footer = Buffer.alloc(FOOTER_BYTES);
  footer.writeUInt32BE(text.length, 0);
  footer.write(MAGIC, 4, 'latin1');
  return {
    info: { key, size, contentType: options.contentType, digest, createdAt, metadata: { ...metadata } },
    bytes: Buffer.concat([text, footer]),
  };
}

/** Throws AmbientError storage_unavailable when the file is not a whole object: the volume has lost or changed bytes. */
export async function readDescription(file: FileHandle, key: string): Promise<ObjectInfo> {
  const stat = await file.stat();
  if (!stat.isFile()) throw damaged(key);
  const end = stat.size;
  let tail = await readAt(file, Math.max(0, end - TAIL_BYTES), Math.min(end, TAIL_BYTES));
  if (tail.length < FOOTER_BYTES || tail.toString('latin1', tail.length - 4) !== MAGIC) throw damaged(key);
  const length = tail.readUInt32BE(tail.length - FOOTER_BYTES);
  const wanted = length + FOOTER_BYTES;
  if (length > DESCRIPTION_MAX || wanted > end) throw damaged(key);
  if (wanted > tail.length) tail = await readAt(file, end - wanted, wanted);
  const description = parse(tail.toString('utf8', tail.length - wanted, tail.length - FOOTER_BYTES), key);
  if (description.size !== end - wanted) throw damaged(key);
  return {
    key,
    size: description.size,
    contentType: description.contentType,
    digest: description.digest,
    createdAt: new Date(description.createdAt),
    metadata: description.metadata ?? {},
  };
}

function parse(text: string, key: string): Description {
  try {
    return JSON.parse(text) as Description;
  } catch (error) {
    throw damaged(key, error);
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

const damaged = (key: string, cause?: unknown): AmbientError =>
  new AmbientError('storage_unavailable', `the stored object ${JSON.stringify(key)} is damaged`, {
    cause,
    details: { damaged: key },
  });

/** Writes all of it at a position. */
export async function writeAt(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}

/** The digest of the first `size` bytes of a file. Throws storage_unavailable when there are fewer. */
export async function digestOf(file: FileHandle, size: number, key: string): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  let position = 0;
  while (position < size) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, size - position), position);
    if (bytesRead === 0) throw damaged(key);
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
  return `sha256:${hash.digest('hex')}`;
}
