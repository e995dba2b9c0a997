import assert from 'node:assert/strict';
import { proxyFromEnvironment } from '../../../../common/kube/proxy-environment.ts';

describe('the proxy from the environment', () => {
  const env = { HTTPS_PROXY: 'http://proxy:3128' };

  it('is HTTPS_PROXY for https servers, in either case and without a scheme too', () => {
    assert.equal(proxyFromEnvironment('https://c.example:6443', env), 'http://proxy:3128');
    assert.equal(
      proxyFromEnvironment('https://c.example', { https_proxy: 'proxy:3128' }),
      'http://proxy:3128',
    );
    assert.equal(proxyFromEnvironment('http://c.example', env), undefined);
    assert.equal(proxyFromEnvironment('https://c.example', {}), undefined);
  });

  it('is not used for this machine', () => {
    for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '[::1]']) {
      assert.equal(proxyFromEnvironment(`https://${host}:6443`, env), undefined, host);
    }
  });

  it('is not used for what NO_PROXY names', () => {
    const exempt = (host: string, list: string): boolean =>
      proxyFromEnvironment(`https://${host}`, { ...env, NO_PROXY: list }) === undefined;
    assert.ok(exempt('c.example', '*'));
    assert.ok(exempt('c.example', 'other, example'));
    assert.ok(exempt('c.example', '.example'));
    assert.ok(exempt('c.example', '*.example'));
    assert.ok(!exempt('example', '.example'));
    assert.ok(!exempt('badexample', 'example'));
    assert.ok(exempt('10.1.2.3', '10.0.0.0/8'));
    assert.ok(!exempt('11.1.2.3', '10.0.0.0/8'));
    assert.ok(exempt('10.1.2.3', '10.1.2.3'));
    assert.ok(exempt('[fd00::1]', 'fd00::/8'));
    assert.ok(exempt('c.example:6443', 'c.example:6443'));
    assert.ok(!exempt('c.example:6443', 'c.example:443'));
    assert.ok(!exempt('c.example', '10.0.0.0/8, 300/7, /'));
  });
});
