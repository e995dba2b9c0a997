import assert from 'node:assert/strict';
import { describeOptions, readConfig } from '../../../operator/config.ts';

describe('operator configuration', () => {
  it('needs nothing inside a cluster', () => {
    const config = readConfig([], { POD_NAME: 'ambient-operator-abc', POD_NAMESPACE: 'platform' });
    assert.equal(config.namespace, 'platform');
    assert.equal(config.identity, 'ambient-operator-abc');
    assert.equal(config.runnerUrl, 'https://ambient-operator.platform.svc:8444');
    assert.deepEqual(
      [config.livePort, config.runnerPort, config.admissionPort, config.healthPort, config.workers],
      [8443, 8444, 9443, 8080, 20],
    );
    assert.equal(config.leaderElection, true);
    assert.equal(config.startPatienceMs, 300_000);
  });

  it('prefers a flag to a variable and a variable to the default', () => {
    assert.equal(readConfig(['--workers=3'], { AMBIENT_WORKERS: '4' }).workers, 3);
    assert.equal(readConfig([], { AMBIENT_WORKERS: '4' }).workers, 4);
    assert.equal(readConfig([], { AMBIENT_WORKERS: '' }).workers, 20);
  });

  it('names everything that is wrong at once, with flag, variable and what is allowed', () => {
    const env = { AMBIENT_LOG_LEVEL: 'loud', AMBIENT_NAMESPACE: 'Not A Name' };
    assert.throws(
      () =>
        readConfig(
          ['--workers=0', '--live-port=70000', '--runner-url=http://x', '--leader-election=maybe'],
          env,
        ),
      (error: Error) => {
        for (const part of [
          '--workers (AMBIENT_WORKERS) is "0", but must be a whole number from 1 to 1000',
          '--live-port',
          '--runner-url',
          '--leader-election',
          'AMBIENT_LOG_LEVEL',
          'AMBIENT_NAMESPACE',
        ])
          assert.ok(error.message.includes(part), `${part} in: ${error.message}`);
        return true;
      },
    );
    assert.throws(() => readConfig(['--wrokers=1'], {}), /wrokers/);
  });

  it('leaves the runner URL open when the port is chosen at start', () => {
    assert.equal(readConfig(['--runner-port=0'], {}).runnerUrl, undefined);
  });

  it('describes every option', () => {
    const text = describeOptions();
    for (const name of ['workers', 'store-dir', 'lease-seconds'])
      assert.match(text, new RegExp(`--${name} .*\\[AMBIENT_`));
  });
});
