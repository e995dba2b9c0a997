/** Inputs from a real S3 server and a web server, brought by the step that has the keys; the command has the bytes alone. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunDescription } from '../../../common/api/runner.ts';
import { S3Store } from '../../../operator/store/s3/store.ts';
import { RunnerEndpoint } from '../../support/runner-endpoint.ts';
import { RunnerPod } from '../../support/runner-process.ts';
import { s3ServerOrSkip } from '../../support/s3-server.ts';
import type { S3Server } from '../../support/s3-server.ts';

const plain = { contentType: 'text/plain' };

describe('inputs', function () {
  this.timeout(120_000); // real processes on a machine that may be busy
  let folder: string;
  let s3: S3Server | undefined;
  let web: Server;
  let origin: string;

  before(async function () {
    s3 = await s3ServerOrSkip(this);
    const store = new S3Store({ ...s3, prefix: '', pathStyle: true });
    for (const key of [
      'sets/one.txt',
      'sets/deep/t w+o & größe.txt',
      'sets/deeper/a/b.txt',
      'other/secret.txt',
    ])
      await store.put(key, Buffer.from(`this is ${key}\n`), plain);
    store.close();
    web = createServer((request, response) =>
      request.url === '/data.csv' ? response.end('a,b\n') : response.writeHead(404).end(),
    );
    web.listen(0, '127.0.0.1');
    await once(web, 'listening');
    origin = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
  });
  after(async () => {
    (web as Server | undefined)?.close();
    await s3?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'inputs-'));
    await mkdir(join(folder, 'inputs'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const secret = async (values: Record<string, string> = {}): Promise<void> => {
    const all = {
      AWS_ACCESS_KEY_ID: s3?.credentials.accessKeyId ?? '',
      AWS_SECRET_ACCESS_KEY: s3?.credentials.secretAccessKey ?? '',
      AWS_ENDPOINT_URL: s3?.endpoint ?? '',
      AWS_REGION: s3?.region ?? '',
      url: `s3://${s3?.bucket ?? ''}/sets/`,
      ...values,
    };
    await mkdir(join(folder, 'secrets', 'data'), { recursive: true });
    for (const [name, value] of Object.entries(all))
      await writeFile(join(folder, 'secrets', 'data', name), `${value}\n`);
  };
  const env = () => ({
    AMBIENT_INPUTS: join(folder, 'inputs'),
    AMBIENT_INPUT_CREDENTIALS: join(folder, 'secrets'),
  });
  const fromS3 = (key: string, name = 'set') => ({
    name,
    kind: 's3' as const,
    bucket: s3?.bucket ?? '',
    key,
    credentials: 'data',
  });

  async function brought(inputs: RunDescription['inputs'], ...command: string[]) {
    const endpoint = await RunnerEndpoint.start();
    const pod = await RunnerPod.make({ endpoint, description: { inputs: inputs ?? [] }, env: env() });
    try {
      const init = await pod.bringSource({});
      assert.equal(init.code, 0, init.stderr);
      await pod.run(...command);
      return {
        said: endpoint.texts('output', 'stdout'),
        result: endpoint.results[0],
        status: endpoint.texts('status'),
      };
    } finally {
      await pod[Symbol.asyncDispose]();
      await endpoint[Symbol.asyncDispose]();
    }
  }

  it('are there when the command runs: an object, all below a prefix, a file of the web', async () => {
    await secret();
    const digest = `sha256:${createHash('sha256').update('a,b\n').digest('hex')}`;
    const { said, result } = await brought(
      [
        fromS3('sets/one.txt', 'one.txt'),
        fromS3('sets/'),
        { name: 'data.csv', kind: 'external', url: `${origin}/data.csv`, digest },
      ],
      'sh',
      '-c',
      'cd "$AMBIENT_INPUTS" && find . -type f | sort && cat one.txt "set/deep/t w+o & größe.txt" data.csv; env | grep -c AWS',
    );
    assert.equal(result?.outcome, 'CommandFailed', result?.message);
    assert.deepEqual(said, [
      './data.csv',
      './one.txt',
      './set/deep/t w+o & größe.txt',
      './set/deeper/a/b.txt',
      './set/one.txt',
      'this is sets/one.txt',
      'this is sets/deep/t w+o & größe.txt',
      'a,b',
      '0',
    ]);
  });

  it('end the session with the reason when they cannot be had', async () => {
    const problems: [Record<string, string>, NonNullable<RunDescription['inputs']>[number], RegExp][] = [
      [
        {},
        fromS3('sets/none.txt'),
        /input set cannot be had: s3:\/\/ambient\/sets\/none\.txt cannot be read: NoSuchKey/,
      ],
      [{}, fromS3('other/secret.txt'), /Secret data is for s3:\/\/ambient\/sets\/, not for/],
      [{ AWS_SECRET_ACCESS_KEY: 'wrong' }, fromS3('sets/one.txt'), /SignatureDoesNotMatch/],
      [{ url: '' }, fromS3('sets/one.txt'), /Secret data/],
      [{ AWS_ENDPOINT_URL: 'http://127.0.0.1:1' }, fromS3('sets/one.txt'), /cannot be reached/],
      [{}, { name: 'x', kind: 'external', url: `${origin}/none` }, /answered with status 404/],
      [
        {},
        { name: 'x', kind: 'external', url: `${origin}/data.csv`, digest: `sha256:${'0'.repeat(64)}` },
        /it has the digest sha256:/,
      ],
      [{}, { ...fromS3('sets/one.txt'), credentials: 'none' }, /Secret none is not there or is empty/],
    ];
    for (const [values, input, problem] of problems) {
      await secret(values);
      const { result } = await brought([input], 'true');
      assert.equal(result?.outcome, 'SourceUnavailable', result?.message);
      assert.match(result.message, problem);
    }
  });
});
