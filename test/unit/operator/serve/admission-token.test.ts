/** The token of the admission door's paths: exchanged often, shared by replicas through their Secret. */
import assert from 'node:assert/strict';
import { pino } from 'pino';
import type { Secret } from '../../../../common/kube/core-types.ts';
import type { KubeClient } from '../../../../common/kube/client.ts';
import { KubeError } from '../../../../common/kube/errors.ts';
import { OperatorCertificates } from '../../../../operator/serve/tls/certificates.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

/** One Secret of an API server, so that an hour can pass in a test. */
function aSecretStore(): { client: KubeClient; reads: () => number } {
  let stored: Secret | undefined;
  let reads = 0;
  const client = {
    get: async () => {
      reads++;
      if (stored === undefined) throw new KubeError('none', { status: 404, reason: 'NotFound' });
      return stored;
    },
    create: async (_: unknown, secret: Secret) => (stored = secret),
    replace: async (_: unknown, secret: Secret) => (stored = secret),
  };
  return { client: client as unknown as KubeClient, reads: () => reads };
}

describe('the token of the admission door', () => {
  const clock = new FakeClock();
  const { client, reads } = aSecretStore();
  const log = pino({ level: 'silent' });
  const replica = () =>
    new OperatorCertificates({ client, namespace: 'ambient-system', names: ['a.svc'], clock, log });

  it('is another after every start and every hour, found by other replicas, and taken half a minute longer', async () => {
    await using first = replica();
    await first.start();
    const leaked = first.admissionToken;
    assert.ok(await first.isAdmissionToken(leaked));

    await using second = replica();
    await second.start();
    const next = second.admissionToken;
    assert.notEqual(next, leaked);
    assert.equal(await second.isAdmissionToken(leaked), false, 'it was never a token of this process');
    assert.ok(await first.isAdmissionToken(next), 'the first replica reads what the second wrote');
    assert.ok(await first.isAdmissionToken(leaked));
    await clock.advance(30_001);
    assert.equal(await first.isAdmissionToken(leaked), false);

    await clock.advance(3600_000);
    await first.refresh();
    assert.notEqual(first.admissionToken, next);
  });

  it('is looked for once a second at most, however many guess', async () => {
    await using certificates = replica();
    await certificates.start();
    const before = reads();
    for (let guess = 0; guess < 100; guess++)
      assert.equal(await certificates.isAdmissionToken(`guess-${guess}`), false);
    assert.equal(await certificates.isAdmissionToken(''), false);
    assert.equal(reads() - before, 1);
  });
});
