/** Artifacts delivered to a tenant's bucket on a real S3 server, with what its Secret says and not beyond it. */
import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Session } from '../../../common/api/session.ts';
import type { Storage } from '../../../operator/record/exports/bucket.ts';
import { Exporter } from '../../../operator/record/exports/exporter.ts';
import type { Delivery } from '../../../operator/record/exports/exporter.ts';
import { resolveAll } from '../../../operator/record/notifications/checked-lookup.ts';
import { SecretProblem } from '../../../operator/record/notifications/secrets.ts';
import { keys, refOf } from '../../../operator/store/keys.ts';
import { S3Store } from '../../../operator/store/s3/store.ts';
import { s3ServerOrSkip } from '../../support/s3-server.ts';
import type { S3Server } from '../../support/s3-server.ts';
import { temporaryStore } from '../../support/temporary-store.ts';
import type { TemporaryStore } from '../../support/temporary-store.ts';
import { until } from '../../support/until.ts';

const session: Session = {
  apiVersion: 'ambient.ai/v1alpha1',
  kind: 'Session',
  metadata: { name: 's1', namespace: 'team-a', uid: '4f6d8a2e-0000-4000-8000-000000000001' },
  spec: { framework: { type: 'generic' } },
};
const FOLDER = 'team-a/s1-4f6d8a2e/';

describe('delivering artifacts', () => {
  let server: S3Server | undefined;
  let tenant: S3Store;
  let temporary: TemporaryStore;
  let secret: Record<string, string>;
  let now: number;
  const open = new BlockList();
  open.addSubnet('127.0.0.0', 8, 'ipv4');

  before(async function () {
    server = await s3ServerOrSkip(this);
  });
  after(() => server?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    if (server === undefined) return;
    const { endpoint, region, bucket, credentials } = server;
    tenant = new S3Store({ bucket, prefix: 'results/', endpoint, region, pathStyle: true, credentials });
    await tenant.remove('team-a/');
    temporary = await temporaryStore();
    for (const path of ['report.md', 'deep/größe.txt', '.ambient/provenance.intoto.jsonl'])
      await temporary.store.put(keys.artifact(refOf(session), path), Buffer.from(path), {
        contentType: 'text/x-test',
        metadata: { type: 'output' },
      });
    secret = {
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: region,
      url: `s3://${bucket}/results`,
    };
    now = 0;
  });
  afterEach(async () => {
    (tenant as S3Store | undefined)?.close();
    await temporary[Symbol.asyncDispose]();
  });

  const exporter = (allowed = open): Exporter =>
    new Exporter({
      store: temporary.store,
      read: async (namespace, { name, key }) => {
        assert.deepEqual([namespace, name], ['team-a', 'bucket']);
        const value = secret[key];
        if (value === undefined) throw new SecretProblem(`Secret ${name} has no key ${key}`);
        return Buffer.from(`${value}\n`);
      },
      rules: { allowed, plainHttp: true },
      resolve: resolveAll,
      elapsed: () => now,
      signal: new AbortController().signal,
    });
  const outcomeOf = (by: Exporter, storage: Partial<Storage> = {}): Promise<Delivery> =>
    until(() => {
      const delivery = by.deliver(session, { type: 's3', credentials: 'bucket', ...storage });
      return delivery.state === 'waiting' ? undefined : delivery;
    }, 'it is delivered, or not');

  it('brings all of them with type and metadata, and the statement with them', async () => {
    assert.deepEqual(await outcomeOf(exporter()), {
      state: 'delivered',
      count: 3,
      location: `s3://ambient/results/${FOLDER}`,
    });
    assert.deepEqual(await tenant.listKeys('team-a/'), [
      `${FOLDER}.ambient/provenance.intoto.jsonl`,
      `${FOLDER}deep/größe.txt`,
      `${FOLDER}report.md`,
    ]);
    const { info, body } = await tenant.get(`${FOLDER}report.md`);
    assert.equal(await text(body), 'report.md');
    assert.deepEqual([info.contentType, info.metadata], ['text/x-test', { type: 'output' }]);
  });

  it('goes on where another has broken off, and replaces what differs', async () => {
    await outcomeOf(exporter());
    const kept = (await tenant.stat(`${FOLDER}report.md`))?.createdAt;
    await tenant.put(`${FOLDER}deep/größe.txt`, Buffer.from('half'), { contentType: 'text/plain' });
    await outcomeOf(exporter());
    assert.deepEqual((await tenant.stat(`${FOLDER}report.md`))?.createdAt, kept);
    assert.equal(await text((await tenant.get(`${FOLDER}deep/größe.txt`)).body), 'deep/größe.txt');
  });

  it('goes to a place within what the Secret is for, and to no other', async () => {
    const within = await outcomeOf(exporter(), { location: 's3://ambient/results/mine/' });
    assert.equal(within.state === 'delivered' && within.location, `s3://ambient/results/mine/${FOLDER}`);
    for (const location of ['s3://ambient/', 's3://ambient/results-of-others/', 's3://other/results/']) {
      const outside = await outcomeOf(exporter(), { location });
      assert.match(
        outside.state === 'failed' ? outside.problem : '',
        /Secret bucket is for s3:\/\/ambient\/results\/, not for/,
      );
    }
  });

  it('says what is wrong, and tries again later', async () => {
    for (const [change, problem] of [
      [
        { AWS_SECRET_ACCESS_KEY: 'wrong' },
        /s3:\/\/ambient\/results\/: the bucket refuses the credentials: status 403/,
      ],
      [{ url: 's3://no-such-bucket/' }, /bucket no-such-bucket does not exist/],
      [{ AWS_ENDPOINT_URL: 'ftp://x' }, /must be an https:\/\/ URL/],
    ] as const) {
      const before = { ...secret };
      Object.assign(secret, change);
      const failed = await outcomeOf(exporter());
      assert.match(failed.state === 'failed' ? failed.problem : '', problem);
      secret = before;
    }
    const by = exporter();
    delete secret['url'];
    const failed = await outcomeOf(by);
    assert.match(failed.state === 'failed' ? failed.problem : '', /Secret bucket has no key url/);
    secret['url'] = 's3://ambient/results';
    const waiting = by.deliver(session, { type: 's3', credentials: 'bucket' });
    assert.deepEqual(waiting, { state: 'waiting', againMs: 15_000 });
    now += 15_000;
    assert.equal((await outcomeOf(by)).state, 'delivered');
  });

  it('reaches no address that is not of the public internet, by number or by name', async () => {
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '169.254.169.254']) {
      secret['AWS_ENDPOINT_URL'] = `http://${host}:${server?.port ?? 0}`;
      const failed = await outcomeOf(exporter(new BlockList()));
      assert.match(
        failed.state === 'failed' ? failed.problem : '',
        /no address of the public internet/,
        host,
      );
    }
    assert.deepEqual(await tenant.listKeys('team-a/'), []);
  });
});
