/** Addresses in answers of the REST door: whose they are, and until when they are good. */
import assert from 'node:assert/strict';
import type { FastifyRequest } from 'fastify';
import { Links } from '../../../../../operator/serve/rest/links.ts';
import { aSession } from '../../../../support/fixtures.ts';

describe('addresses in answers of the REST door', () => {
  const session = aSession('s1').in('team-a').build();
  const caller = { name: 'ann', groups: ['dev'], extra: {} };
  let now: Date;
  let keys: [Buffer, ...Buffer[]];
  let mayDownload: boolean;
  const links = (publicUrl?: string): Links =>
    new Links({
      guard: { may: async () => mayDownload },
      publicUrl,
      keys: () => ({ signing: keys[0], accepted: keys }),
      now: () => now,
    });
  const requestTo = (host: string | undefined, more: Record<string, string> = {}): FastifyRequest =>
    ({ headers: { ...(host === undefined ? {} : { host }), ...more } }) as unknown as FastifyRequest;
  const addressOf = async (path: string): Promise<URL> => {
    const { url } = await links().downloads(requestTo('ambient.example'), caller, session);
    return new URL(url(path) ?? '');
  };
  const check = ({ searchParams }: URL, path: string) =>
    links().check(
      { namespace: 'team-a', id: 's1', path },
      {
        expires: Number(searchParams.get('expires')),
        grant: searchParams.get('grant') ?? '',
        signature: searchParams.get('signature') ?? '',
      },
    );

  beforeEach(() => {
    now = new Date('2030-01-01T00:09:59Z');
    keys = [Buffer.alloc(32, 1)];
    mayDownload = true;
  });

  it('are good for ten to twenty minutes, for whom they were given to', async () => {
    const address = await addressOf('a/ä b.txt');
    assert.equal(address.pathname, '/api/v1/namespaces/team-a/sessions/s1/artifacts/a/%C3%A4%20b.txt');
    const grant = check(address, 'a/ä b.txt');
    assert.deepEqual(grant, { caller, uid: session.metadata.uid });
    now = new Date('2030-01-01T00:19:59.999Z');
    check(address, 'a/ä b.txt');
    now = new Date('2030-01-01T00:20:00Z');
    assert.throws(() => check(address, 'a/ä b.txt'), /has expired: list the artifacts again/);
  });

  it('are good while their key is taken, and no longer', async () => {
    const address = await addressOf('a.txt');
    keys = [Buffer.alloc(32, 2), Buffer.alloc(32, 1)];
    check(address, 'a.txt');
    assert.notEqual((await addressOf('a.txt')).search, address.search);
    keys = [Buffer.alloc(32, 2)];
    assert.throws(() => check(address, 'a.txt'), { code: 'forbidden' });
  });

  it('are not given to whom may not see artifacts', async () => {
    mayDownload = false;
    const { url } = await links().downloads(requestTo('ambient.example'), caller, session);
    assert.equal(url('a.txt'), undefined);
  });

  it('begin with what the operator was told, else with a host that is one', () => {
    const base = '/api/v1';
    assert.equal(links('https://a.example/api/v1').base(requestTo('b.example')), 'https://a.example/api/v1');
    assert.equal(links().base(requestTo('[fd00::1]:8447')), `https://[fd00::1]:8447${base}`);
    assert.equal(links().base(requestTo('x', { 'x-forwarded-proto': 'http' })), `http://x${base}`);
    for (const host of [undefined, 'evil"><script>', 'a@b.example', 'a b', 'x/y', 'x:123456'])
      assert.equal(links().base(requestTo(host)), `https://localhost${base}`, host);
  });
});
