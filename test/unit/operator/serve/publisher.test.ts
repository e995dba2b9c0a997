/** What is published into webhook configurations; test/operator/admission.test.ts sees it done in a real API server. */
import assert from 'node:assert/strict';
import type { Logger } from 'pino';
import type { KubeClient } from '../../../../common/kube/client.ts';
import type { WebhookConfiguration } from '../../../../common/kube/core-types.ts';
import { apiServices } from '../../../../common/kube/resource.ts';
import type { OperatorCertificates } from '../../../../operator/serve/tls/certificates.ts';
import { API_SERVICE, Publisher, webhookPatch } from '../../../../operator/serve/tls/publisher.ts';
import { systemClock } from '../../../../operator/controllers/clock.ts';
import { until } from '../../../support/until.ts';

const facts = { caBundle: 'Y2E=', token: 'secret' };
type Config = NonNullable<WebhookConfiguration['webhooks']>[number]['clientConfig'];

const configuration = (...configs: Config[]): WebhookConfiguration => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingWebhookConfiguration',
  metadata: { name: 'ambient-operator', resourceVersion: '7' },
  webhooks: configs.map((clientConfig, index) => ({
    name: `w${index}.ambient.ai`,
    clientConfig,
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    timeoutSeconds: 5,
  })),
});
const service = { namespace: 'ambient-system', name: 'ambient-operator', port: 8445 };

describe('what is published into a webhook configuration', () => {
  it('is the authority and a path that nobody can guess, in each webhook, only as it was read', () => {
    const object = configuration({ service }, { url: 'https://10.0.0.1:9443/' });
    const patch = webhookPatch(object, facts);
    assert.deepEqual(patch, {
      metadata: { resourceVersion: '7' },
      webhooks: configuration(
        { service: { ...service, path: '/secret/w0.ambient.ai' }, caBundle: 'Y2E=' },
        { url: 'https://10.0.0.1:9443/secret/w1.ambient.ai', caBundle: 'Y2E=' },
      ).webhooks,
    });
    assert.equal(webhookPatch({ ...object, ...(patch as object) }, facts), undefined);
  });

  it('is put right when any of it is another', () => {
    const right = { service: { ...service, path: '/secret/w0.ambient.ai' }, caBundle: 'Y2E=' };
    assert.equal(webhookPatch(configuration(right), facts), undefined);
    for (const wrong of [
      { ...right, caBundle: 'b2xk' },
      { service: right.service },
      { ...right, service: { ...right.service, path: '/old/w0.ambient.ai' } },
    ])
      assert.notEqual(webhookPatch(configuration(wrong), facts), undefined);
    assert.equal(webhookPatch(configuration(), facts), undefined);
  });
});

describe('the publisher of certificates', () => {
  it('publishes what came when it had just published', async () => {
    const published: unknown[] = [];
    const listeners: (() => void)[] = [];
    const certificates = {
      caBundle: 'first',
      admissionToken: 'secret',
      refresh: async () => undefined,
      onChange: (listener: () => void) => {
        listeners.push(listener);
        return { [Symbol.dispose]: () => undefined };
      },
    };
    const client = {
      connection: {
        cluster: 'c',
        server: 'https://c',
        stream: (_: string, { signal }: { signal: AbortSignal }) =>
          new Promise((_resolve, reject) =>
            signal.addEventListener('abort', () => reject(signal.reason as Error)),
          ),
      },
      async *listPages(resource: unknown) {
        const metadata = { name: API_SERVICE, resourceVersion: '1' };
        yield { items: resource === apiServices ? [{ metadata, spec: {} }] : [], resourceVersion: '1' };
      },
      mergePatch: async (_: unknown, __: unknown, { spec }: { spec: { caBundle: string } }) =>
        void published.push(Buffer.from(spec.caBundle, 'base64').toString()),
    };
    const log = {
      warn: () => undefined,
      // Between its last look and its end.
      info: () =>
        queueMicrotask(() => {
          if (certificates.caBundle === 'second') return;
          certificates.caBundle = 'second';
          for (const listener of listeners) listener();
        }),
    };
    await using publisher = new Publisher({
      client: client as unknown as KubeClient,
      certificates: certificates as unknown as OperatorCertificates,
      clock: systemClock,
      log: log as unknown as Logger,
    });
    await publisher.start();
    await until(() => published.includes('second'), 'the second is published', 2000);
    assert.deepEqual(published, ['first', 'second']);
  });
});
