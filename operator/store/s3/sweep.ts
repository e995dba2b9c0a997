/** Removes what writers have left behind that were killed: parts of objects that were never completed, and objects made aside. */
import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
} from '@aws-sdk/client-s3';
import type { MultipartUpload, S3Client } from '@aws-sdk/client-s3';
import { codeOf } from './errors.ts';
import type { S3Objects } from './objects.ts';

interface Sweeping {
  client: S3Client;
  bucket: string;
  /** Of the whole store: uploads below it are all our own. */
  prefix: string;
  /** Of objects made aside. */
  temporary: string;
  objects: S3Objects;
}

/** What nobody has written to since `before`. The count. */
export async function sweep(sweeping: Sweeping, before: Date): Promise<number> {
  const { objects, temporary } = sweeping;
  let count = 0;
  for await (const { name, changedAt } of objects.list(temporary)) {
    if (changedAt >= before) continue;
    await objects.remove(name);
    count++;
  }
  for (const upload of await uploadsOf(sweeping)) {
    if (!(await isForgotten(sweeping, upload, before))) continue;
    await abort(sweeping, upload);
    count++;
  }
  return count;
}

async function uploadsOf({ client, bucket, prefix }: Sweeping): Promise<MultipartUpload[]> {
  const found: MultipartUpload[] = [];
  let marker: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } | undefined;
  do {
    const page = await client.send(
      new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...marker }),
    );
    found.push(...(page.Uploads ?? []));
    marker =
      page.IsTruncated === true
        ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
        : undefined;
  } while (marker !== undefined);
  return found;
}

async function isForgotten(
  { client, bucket }: Sweeping,
  { Key, UploadId, Initiated = new Date(0) }: MultipartUpload,
  before: Date,
): Promise<boolean> {
  if (Initiated >= before) return false;
  try {
    // A large object may take long, but not one part of it.
    for (let marker: string | undefined; ;) {
      const page = await client.send(
        new ListPartsCommand({ Bucket: bucket, Key, UploadId, ...(marker && { PartNumberMarker: marker }) }),
      );
      if (page.Parts?.some(({ LastModified = new Date(0) }) => LastModified >= before) === true) return false;
      if (page.IsTruncated !== true) return true;
      marker = page.NextPartNumberMarker;
    }
  } catch (error) {
    if (codeOf(error) === 'NoSuchUpload') return false;
    throw error;
  }
}

async function abort({ client, bucket }: Sweeping, { Key, UploadId }: MultipartUpload): Promise<void> {
  try {
    await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }));
  } catch (error) {
    if (codeOf(error) !== 'NoSuchUpload') throw error;
  }
}
