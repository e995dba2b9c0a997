/** The client of the AWS SDK as this store needs it: within time limits, without what compatible servers lack, counted. */
import type { LookupFunction } from 'node:net';
import { S3Client } from '@aws-sdk/client-s3';
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { codeOf } from './errors.ts';

export interface S3Place {
  bucket: string;
  /** '' or a path that ends with /: what all names begin with. */
  prefix: string;
  /** Undefined: Amazon's own for the region. */
  endpoint: string | undefined;
  region: string;
  /** The bucket in the path instead of in the host name. */
  pathStyle: boolean;
}

export interface S3ClientOptions extends S3Place {
  /** Undefined: from the environment, or as the platform gives them to the pod (web identity, pod identity, instance). */
  credentials?: S3ClientConfig['credentials'];
  /** PEM, of whom to trust at the endpoint. */
  ca?: string;
  /** Of host names; the system's own when absent. */
  lookup?: LookupFunction;
  limits?: Partial<S3Limits>;
  /** Told of each request, attempts counted one by one. */
  onRequest?: (operation: string, outcome: string, milliseconds: number) => void;
}

export interface S3Limits {
  attempts: number;
  connectMs: number;
  /** Until the answer begins. */
  answerMs: number;
  /** Without a byte either way. */
  silenceMs: number;
}

const LIMITS: S3Limits = { attempts: 4, connectMs: 5000, answerMs: 60_000, silenceMs: 30_000 };
const SOCKETS = 64;

export function s3Client(options: S3ClientOptions): S3Client {
  const { endpoint, region, pathStyle, credentials, ca, lookup, onRequest } = options;
  const limits = { ...LIMITS, ...options.limits };
  const agent = { keepAlive: true, maxSockets: SOCKETS, ...(lookup === undefined ? {} : { lookup }) };
  const client = new S3Client({
    region,
    forcePathStyle: pathStyle,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
    maxAttempts: limits.attempts,
    // Trailing checksums are what compatible servers fail at; bodies are signed with their digest anyway.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: limits.connectMs,
      requestTimeout: limits.answerMs,
      throwOnRequestTimeout: true,
      socketTimeout: limits.silenceMs,
      httpAgent: agent,
      httpsAgent: { ...agent, ...(ca === undefined ? {} : { ca }) },
    },
  });
  if (onRequest !== undefined) {
    client.middlewareStack.add(
      (next, { commandName = '' }) =>
        async (args) => {
          const started = performance.now();
          const operation = commandName.replace(/Command$/, '');
          try {
            const result = await next(args);
            onRequest(operation, 'ok', performance.now() - started);
            return result;
          } catch (error) {
            onRequest(operation, codeOf(error), performance.now() - started);
            throw error;
          }
        },
      // Innermost: below what repeats.
      { step: 'deserialize', priority: 'high' },
    );
  }
  return client;
}
