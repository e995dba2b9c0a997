/** What a log costs in requests to S3, and that it is whole there. */
import assert from 'node:assert/strict';
import { SessionLog } from '../../../../operator/sessions/log.ts';
import type { RecordLine } from '../../../../operator/sessions/log.ts';
import { S3Store } from '../../../../operator/store/s3/store.ts';
import { aSession } from '../../../support/fixtures.ts';
import { KnownSessions } from '../../../support/known-sessions.ts';
import { s3ServerOrSkip } from '../../../support/s3-server.ts';
import type { S3Server } from '../../../support/s3-server.ts';

const BATCHES = 256;

describe('a log in S3', () => {
  let server: S3Server | undefined;

  before(async function () {
    server = await s3ServerOrSkip(this);
  });
  after(() => server?.[Symbol.asyncDispose]());

  it('is one request a batch while it grows, and three more once it was merged', async function () {
    this.timeout(120_000);
    const { bucket = '', endpoint = '', region = '', credentials } = server ?? {};
    const requests = new Map<string, number>();
    const store = new S3Store({
      ...{ bucket, endpoint, region, prefix: '', pathStyle: true },
      ...(credentials === undefined ? {} : { credentials }),
      onRequest: (operation) => void requests.set(operation, (requests.get(operation) ?? 0) + 1),
    });
    const session = aSession('s1').in('team-a').build();
    const errors: unknown[] = [];
    const log = new SessionLog({
      store,
      sessions: new KnownSessions(),
      onError: (error) => errors.push(error),
      mergeAfter: 2 * BATCHES,
    });
    for (let seq = 1; seq <= BATCHES; seq++) {
      const line: RecordLine = { seq, line: JSON.stringify({ seq, text: `line ${seq}` }) };
      assert.equal(await log.append(session, [line]), seq);
    }
    assert.deepEqual(Object.fromEntries(requests), { ListObjectsV2: 1, PutObject: BATCHES });
    log.finish(session);
    await log.close();
    assert.deepEqual(errors, []);
    assert.deepEqual(Object.fromEntries(requests), {
      ListObjectsV2: 2,
      PutObject: BATCHES + 1,
      HeadObject: BATCHES,
      GetObject: BATCHES,
      DeleteObject: BATCHES,
    });
    const seen: string[] = [];
    for await (const { lines } of log.read(session, 0)) seen.push(...lines);
    assert.equal(seen.length, BATCHES);
    store.close();
  });
});
