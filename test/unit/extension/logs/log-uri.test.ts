import assert from 'node:assert/strict';
import { logPlace, logUri } from '../../../../extension/logs/log-uri.ts';

describe('addresses of logs', () => {
  for (const cluster of ['kind-dev', 'arn:aws:eks:eu-west-1:1:cluster/Prod', 'admin@Ünïcode 100%'])
    it(`name the session of the context ${cluster}`, () => {
      const ref = { cluster, namespace: 'demo', name: 'report-x7', uid: '0a-1b' };
      assert.deepEqual(logPlace(logUri(ref, 'Report / 100%\\n')), ref);
    });

  it('are no others', () => {
    const { path } = logUri({ cluster: 'c', namespace: 'n', name: 's' }, 'a title');
    assert.equal(logPlace({ scheme: 'file', path }), undefined);
    assert.equal(logPlace({ scheme: 'ambient-log', path: path.replace('.log', '.txt') }), undefined);
    assert.equal(logPlace({ scheme: 'ambient-log', path: '/c/n/s/other/s.log' }), undefined);
  });

  it('show the title on their tab', () => {
    const { path } = logUri({ cluster: 'c', namespace: 'n', name: 's' }, 'Report on this repository');
    assert.equal(decodeURIComponent(path.slice(path.lastIndexOf('/') + 1)), 'Report on this repository.log');
  });
});
