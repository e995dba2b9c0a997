/** A real S3 server on this machine, built from its Go module: on a port and a folder of its own, to be stopped and started again. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Context } from 'mocha';
import { ensureBinaries } from '../cluster/binaries.ts';
import { s3Capability } from '../cluster/capability.ts';
import { freePort } from './free-ports.ts';
import { skipBecause } from './skip.ts';
import { until } from './until.ts';

export interface S3Server extends AsyncDisposable {
  readonly endpoint: string;
  readonly port: number;
  readonly region: string;
  readonly bucket: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Where the objects of the bucket lie as files. */
  readonly folder: string;
  /** Kills it, as a crash does. */
  stop(): Promise<void>;
  /** Again, on the same port and with the same data. */
  start(): Promise<void>;
}

export interface S3ServerOptions {
  /** An existing folder to keep data in, such as a small volume; absent: a temporary one, removed at the end. */
  root?: string;
  /** Address to listen on; default the loopback one. */
  host?: string;
}

const ACCESS_KEY = 'test-access-key';
const SECRET_KEY = 'test-secret-key';
const REGION = 'eu-test-1';
const BUCKET = 'ambient';
const HOST = '127.0.0.1';

/** Skips the suite where the server cannot be had. The first time on a machine it is built, which takes a minute. */
export async function s3ServerOrSkip(context: Context, options: S3ServerOptions = {}): Promise<S3Server> {
  const able = await s3Capability();
  if (able !== true) skipBecause(context, able);
  context.timeout(600_000);
  return await startS3Server(options);
}

export async function startS3Server({ root, host = HOST }: S3ServerOptions = {}): Promise<S3Server> {
  const binaries = await ensureBinaries(['versitygw'], (line) => process.stderr.write(`${line}\n`));
  const data = root ?? (await mkdtemp(join(tmpdir(), 'ambient-s3-')));
  const folder = join(data, BUCKET);
  // A folder of the server's root is a bucket.
  await mkdir(folder);
  const port = await freePort(host);
  let child: ChildProcess | undefined;
  const killWithUs = (): void => void child?.kill('SIGKILL');
  process.once('exit', killWithUs);
  const stop = async (): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null) return;
    const exited = new Promise((resolve) => running.once('exit', resolve));
    running.kill('SIGKILL');
    await exited;
  };
  const start = async (): Promise<void> => {
    child = spawn(binaries.path('versitygw'), ['--port', `${host}:${port}`, '--quiet', 'posix', data], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ROOT_ACCESS_KEY: ACCESS_KEY, ROOT_SECRET_KEY: SECRET_KEY, VGW_REGION: REGION },
    });
    await until(() => answers(host, port), 'the S3 server listens');
  };
  await start();
  return {
    endpoint: `http://${host}:${port}`,
    port,
    region: REGION,
    bucket: BUCKET,
    credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
    folder,
    stop,
    start,
    async [Symbol.asyncDispose]() {
      await stop();
      process.off('exit', killWithUs);
      if (root === undefined) await rm(data, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}
