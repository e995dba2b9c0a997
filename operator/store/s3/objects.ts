/** Names of objects in a bucket: listed to the end, and removed in as few requests as S3 allows. */
import { DeleteObjectCommand, DeleteObjectsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';
import { AmbientError } from '../../../common/errors.ts';
import { isMissing } from './errors.ts';

export interface Listed {
  name: string;
  size: number;
  changedAt: Date;
}

/** Each page of a listing is a request for so many names. */
const REMOVED_AT_ONCE = 1000;

export class S3Objects {
  readonly #client: S3Client;
  readonly #bucket: string;

  constructor(client: S3Client, bucket: string) {
    this.#client = client;
    this.#bucket = bucket;
  }

  async *list(prefix: string, after?: string): AsyncGenerator<Listed, void, undefined> {
    for await (const page of this.#pages({
      Prefix: prefix,
      ...(after === undefined ? {} : { StartAfter: after }),
    })) {
      for (const { Key, Size = 0, LastModified = new Date(0) } of page.Contents ?? []) {
        // Some servers list a folder as an object of no bytes.
        if (Key === undefined || Key.endsWith('/')) continue;
        yield { name: plain(Key, page.EncodingType), size: Size, changedAt: LastModified };
      }
    }
  }

  /** Next segments below a prefix that ends with / or is ''. */
  async folders(prefix: string): Promise<string[]> {
    const found: string[] = [];
    for await (const page of this.#pages({ Prefix: prefix, Delimiter: '/' })) {
      for (const { Prefix = '' } of page.CommonPrefixes ?? [])
        found.push(plain(Prefix, page.EncodingType).slice(prefix.length, -1));
    }
    return found;
  }

  async removeAll(prefix: string): Promise<void> {
    let names: string[] = [];
    for await (const { name } of this.list(prefix)) {
      names.push(name);
      if (names.length < REMOVED_AT_ONCE) continue;
      await this.#removeMany(names);
      names = [];
    }
    if (names.length === 1) await this.remove(names[0] ?? '');
    else if (names.length > 0) await this.#removeMany(names);
  }

  async remove(name: string): Promise<void> {
    try {
      await this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: name }));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  async #removeMany(names: readonly string[]): Promise<void> {
    const { Errors = [] } = await this.#client.send(
      new DeleteObjectsCommand({
        Bucket: this.#bucket,
        Delete: { Quiet: true, Objects: names.map((Key) => ({ Key })) },
      }),
    );
    const failed = Errors.find(({ Code }) => Code !== 'NoSuchKey');
    if (failed === undefined) return;
    throw new AmbientError(
      'storage_unavailable',
      `the artifact store did not remove all: ${failed.Code ?? ''}`,
      {
        details: { reason: (failed.Message ?? '').slice(0, 200) },
      },
    );
  }

  async *#pages(wanted: { Prefix: string; StartAfter?: string; Delimiter?: string }) {
    let token: string | undefined;
    do {
      const page = await this.#client.send(
        new ListObjectsV2Command({
          Bucket: this.#bucket,
          // XML cannot carry every character of a name.
          EncodingType: 'url',
          ...wanted,
          ...(token === undefined ? {} : { ContinuationToken: token }),
        }),
      );
      yield page;
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }
}

const plain = (name: string, encoding: string | undefined): string =>
  encoding === 'url' ? decodeURIComponent(name.replaceAll('+', ' ')) : name;
