import assert from 'node:assert/strict';
import { pino } from 'pino';
import type { ConfigMap } from '../../../../../common/kube/core-types.ts';
import type { KubeClient } from '../../../../../common/kube/client.ts';
import { KubeError } from '../../../../../common/kube/errors.ts';
import { AuditHeads, KEYS_MAX, parseHeads } from '../../../../../operator/record/audit/heads.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';

const hash = (letter: string): string => letter.repeat(64);

/** Stands in for the API server where a test needs one that is away on demand; test/pods/audit.test.ts has a real one. */
class OneConfigMap {
  data: Record<string, string> | undefined;
  isAway = false;
  writes = 0;

  readonly client = {
    get: async (): Promise<ConfigMap> => ({ ...this.#object(), data: this.#existing() }),
    create: async (_: unknown, object: ConfigMap) => {
      this.#answer();
      this.data = object.data ?? {};
      return object;
    },
    mergePatch: async (_: unknown, __: unknown, patch: { data: Record<string, string | null> }) => {
      this.#answer();
      const data = this.#existing();
      for (const [key, value] of Object.entries(patch.data))
        if (value === null) delete data[key];
        else data[key] = value;
      return this.#object();
    },
  } as unknown as KubeClient;

  #existing(): Record<string, string> {
    if (this.data === undefined) throw new KubeError('not found', { status: 404, reason: 'NotFound' });
    return this.data;
  }

  #answer(): void {
    if (this.isAway) throw new KubeError('away', { status: 503, reason: 'ServiceUnavailable' });
    this.writes++;
  }

  #object(): ConfigMap {
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', namespace: 'y' } };
  }
}

describe('published audit heads', () => {
  let cluster: OneConfigMap;
  let clock: FakeClock;
  const open = (): AuditHeads =>
    new AuditHeads({
      client: cluster.client,
      namespace: 'ambient-system',
      clock,
      log: pino({ level: 'silent' }),
    });
  const head = (writer: string, seq: number) => ({
    writer,
    seq,
    hash: hash('a'),
    at: new Date(clock.now()).toISOString(),
  });

  beforeEach(() => {
    cluster = new OneConfigMap();
    clock = new FakeClock();
  });

  it('are written every few seconds however often they move, and at the end', async () => {
    await using heads = open();
    await heads.start();
    for (let seq = 1; seq <= 100; seq++) heads.moved('team-a', head('operator-1', seq));
    heads.moved('team-b', head('operator-1', 1));
    assert.equal(cluster.data, undefined);
    await clock.advance(201);
    const first = cluster.writes;
    assert.ok(first > 0, 'a new chain is known at once');
    for (let seq = 101; seq <= 200; seq++) heads.moved('team-a', head('operator-1', seq));
    await clock.advance(4000);
    assert.equal(cluster.writes, first);
    await clock.advance(1001);
    assert.equal(cluster.writes, first + 1);
    assert.deepEqual(Object.keys(cluster.data ?? {}), ['team-a.operator-1', 'team-b.operator-1']);
    assert.equal(parseHeads(cluster.data ?? {})[0]?.seq, 200);
    const writes = cluster.writes;
    await clock.advance(60_000);
    assert.equal(cluster.writes, writes, 'nothing has changed');
    heads.moved('team-a', head('operator-1', 201));
    await heads[Symbol.asyncDispose]();
    assert.equal(parseHeads(cluster.data ?? {})[0]?.seq, 201);
  });

  it('are written later when the API server is away', async () => {
    await using heads = open();
    await heads.start();
    cluster.isAway = true;
    heads.moved('team-a', head('operator-1', 1));
    await clock.advance(5001);
    assert.equal(cluster.data, undefined);
    cluster.isAway = false;
    heads.moved('team-a', head('operator-1', 2));
    await clock.advance(5001);
    assert.equal(parseHeads(cluster.data ?? {})[0]?.seq, 2);
  });

  it('of chains at rest go once a newer chain has named them', async () => {
    await using old = open();
    await old.start();
    old.moved('team-a', head('operator-1', 7));
    await old.publish();
    await clock.advance(3600_000);
    await using heads = open();
    await heads.start();
    assert.deepEqual(
      heads.earlier('team-a').map(({ writer, seq }) => [writer, seq]),
      [['operator-1', 7]],
    );
    heads.moved('team-a', head('operator-2', 1));
    await heads.publish();
    assert.deepEqual(Object.keys(cluster.data ?? {}), ['team-a.operator-2']);
  });

  it('of chains that have grown since stay, although an older record of them was named', async () => {
    await using other = open();
    await other.start();
    other.moved('team-a', head('operator-1', 7));
    await other.publish();
    await using heads = open();
    await heads.start();
    await clock.advance(3600_000);
    other.moved('team-a', { ...head('operator-1', 8), hash: hash('b') });
    await other.publish();
    assert.equal(heads.earlier('team-a')[0]?.seq, 7);
    heads.moved('team-a', head('operator-2', 1));
    await heads.publish();
    assert.deepEqual(
      parseHeads(cluster.data ?? {}).map(({ writer, seq }) => [writer, seq]),
      [
        ['operator-1', 8],
        ['operator-2', 1],
      ],
    );
  });

  it('that are too many give the oldest to be kept elsewhere', async () => {
    await using heads = open();
    await heads.start();
    for (let index = 0; index < KEYS_MAX; index++) heads.moved(`team-${index}`, head('operator-1', 1));
    await heads.publish();
    assert.deepEqual(heads.crowd(), []);
    await clock.advance(1000);
    heads.moved('newest', head('operator-1', 1));
    await heads.publish();
    const crowd = heads.crowd();
    assert.equal(crowd.length, KEYS_MAX / 4 + 1);
    assert.ok(!crowd.some(({ namespace }) => namespace === 'newest'));
    for (const each of crowd) heads.retire(each);
    await heads.publish();
    assert.equal(Object.keys(cluster.data ?? {}).length, KEYS_MAX - KEYS_MAX / 4);
  });

  it('that are nonsense are named, and do not keep the operator from starting', async () => {
    assert.throws(() => parseHeads({ 'team-a.x': '{"seq":0}' }), /"team-a\.x" is not the head of a chain/);
    assert.throws(() => parseHeads({ nonsense: '{}' }), /"nonsense"/);
    cluster.data = { 'team-a.x': 'nonsense' };
    await using heads = open();
    await heads.start();
    assert.deepEqual(heads.published, []);
  });
});
