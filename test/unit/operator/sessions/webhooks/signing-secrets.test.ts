/** Secrets of tenants as the API server gives them, or does not. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { SigningSecrets } from '../../../../../operator/sessions/webhooks/signing-secrets.ts';

const SIGNER = {
  namespace: 'team-a',
  source: 'github',
  keyId: 'k',
  signing: { secretName: 'hook', key: 'github' },
} as const;

describe('secrets that sign', () => {
  it('are not waited for longer than a sender waits, and asked for again', async () => {
    let isSlow = true;
    const secrets = new SigningSecrets({
      read: async (_namespace, _reference, signal) => {
        if (isSlow) {
          await once(signal, 'abort');
          throw signal.reason;
        }
        return Buffer.from('one\r\n\ntwo\n');
      },
      onState: () => undefined,
      elapsed: () => 0,
      readMs: 5,
    });
    await assert.rejects(secrets.of(SIGNER), { name: 'TimeoutError' });
    isSlow = false;
    assert.deepEqual(
      (await secrets.of(SIGNER)).map((each) => each.toString()),
      ['one', 'two'],
    );
  });
});
