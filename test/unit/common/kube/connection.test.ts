import assert from 'node:assert/strict';
import { Connection } from '../../../../common/kube/connection.ts';
import type { Credentials } from '../../../../common/kube/credentials.ts';
import { KubeError } from '../../../../common/kube/errors.ts';

/** Nothing listens on port 1. */
const failureOf = async (server: string, tls: Credentials['tls'], times = 1): Promise<KubeError[]> => {
  await using connection = new Connection({ cluster: 'none', credentials: { server, tls } });
  const errors: KubeError[] = [];
  for (let time = 0; time < times; time++)
    await assert.rejects(connection.json('/version'), (error) => {
      assert.ok(error instanceof KubeError);
      errors.push(error);
      return true;
    });
  return errors;
};

describe('a connection whose certificates cannot be read', () => {
  it('fails each request with what is wrong, and not when it is made', async () => {
    const errors = await failureOf('https://127.0.0.1:1', { cert: 'no certificate', key: 'no key' }, 2);
    assert.deepEqual(
      errors.map(({ reason }) => reason),
      ['TlsError', 'TlsError'],
    );
  });

  it('does not look at them where there is no TLS', async () => {
    const [error] = await failureOf('http://127.0.0.1:1', { cert: 'no certificate', key: 'no key' });
    assert.equal(error?.reason, 'Unreachable');
  });
});
