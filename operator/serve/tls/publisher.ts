/**
 * Tells kube-apiserver whom to trust at the operator's doors, and by which paths the admission door is reached: keeps that right
 * in the APIService and the webhook configurations, also when they are applied anew.
 */
import type { Logger } from 'pino';
import type { KubeObject } from '../../../common/api/kubernetes.ts';
import { LIVE_GROUP, OPERATOR_NAME, VERSION } from '../../../common/api/names.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import type { WebhookConfiguration } from '../../../common/kube/core-types.ts';
import { isConflict } from '../../../common/kube/errors.ts';
import { Reflector } from '../../../common/kube/reflector.ts';
import {
  apiServices,
  mutatingWebhookConfigurations,
  validatingWebhookConfigurations,
} from '../../../common/kube/resource.ts';
import type { Resource } from '../../../common/kube/resource.ts';
import type { Clock, OperatorCertificates } from './certificates.ts';

export const API_SERVICE = `${VERSION}.${LIVE_GROUP}`;
/** Of both webhook configurations. */
export const WEBHOOK_CONFIGURATION = OPERATOR_NAME;
const RETRY_MS = 5000;

/** One object that kube-apiserver reads it from. */
interface Target<T extends KubeObject> {
  resource: Resource<T>;
  name: string;
  /** Said when there is none. */
  missing: string;
  /** What must be merged into it; undefined when it is right. */
  patchOf(object: T, facts: Published): object | undefined;
}

export interface Published {
  /** base64 of PEM */
  caBundle: string;
  token: string;
}

export interface PublisherOptions {
  client: KubeClient;
  certificates: OperatorCertificates;
  clock: Clock;
  log: Logger;
}

/** All of them, started and closed together. */
export class Publisher implements AsyncDisposable {
  readonly #all: { start(signal?: AbortSignal): Promise<void>; close(): Promise<void> }[];

  constructor(options: PublisherOptions) {
    const webhooks = {
      name: WEBHOOK_CONFIGURATION,
      missing: 'there is no webhook configuration: policy is decided by the controller alone',
      patchOf: webhookPatch,
    };
    this.#all = [
      new TargetPublisher(options, {
        resource: apiServices,
        name: API_SERVICE,
        missing: 'there is no APIService: the live API cannot be reached',
        patchOf: ({ spec }, { caBundle }) =>
          spec.caBundle === caBundle ? undefined : { spec: { caBundle } },
      }),
      new TargetPublisher(options, { resource: mutatingWebhookConfigurations, ...webhooks }),
      new TargetPublisher(options, { resource: validatingWebhookConfigurations, ...webhooks }),
    ];
  }

  /** Resolves when each was looked at. Rejects as Reflector.synced does. */
  async start(signal?: AbortSignal): Promise<void> {
    await Promise.all(this.#all.map((each) => each.start(signal)));
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((each) => each.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** A webhook's path is the token and its own name; manifests leave it out, so that applying them anew changes nothing here. */
export function webhookPatch(object: WebhookConfiguration, facts: Published): object | undefined {
  let isRight = true;
  const webhooks = (object.webhooks ?? []).map((webhook) => {
    const clientConfig = publishedConfig(webhook, facts);
    const { caBundle, service, url } = webhook.clientConfig;
    isRight &&=
      caBundle === clientConfig.caBundle &&
      service?.path === clientConfig.service?.path &&
      url === clientConfig.url;
    return { ...webhook, clientConfig };
  });
  // A list is replaced as a whole, so only as it was read.
  const { resourceVersion } = object.metadata;
  return isRight ? undefined : { metadata: { resourceVersion }, webhooks };
}

type Webhook = NonNullable<WebhookConfiguration['webhooks']>[number];

function publishedConfig({ name, clientConfig }: Webhook, { caBundle, token }: Published) {
  const path = `/${token}/${name}`;
  const { service, url } = clientConfig;
  if (service !== undefined) return { ...clientConfig, caBundle, service: { ...service, path } };
  return { ...clientConfig, caBundle, ...(url === undefined ? {} : { url: new URL(path, url).href }) };
}

/** Watches the one object, so that one applied anew is put right at once. */
class TargetPublisher<T extends KubeObject> {
  readonly #options: PublisherOptions;
  readonly #target: Target<T>;
  readonly #reflector: Reflector<T>;
  readonly #subscriptions: Disposable[] = [];
  #publishing: Promise<void> | undefined;
  #again = false;
  #retry: Disposable | undefined;
  #closed = false;

  constructor(options: PublisherOptions, target: Target<T>) {
    this.#options = options;
    this.#target = target;
    this.#reflector = new Reflector({
      client: options.client,
      resource: target.resource,
      fieldSelector: `metadata.name=${target.name}`,
    });
  }

  async start(signal?: AbortSignal): Promise<void> {
    this.#subscriptions.push(
      this.#reflector.onChange(() => this.#wake()),
      this.#options.certificates.onChange(() => this.#wake()),
    );
    this.#reflector.start();
    await this.#reflector.synced(signal);
    if (this.#object === undefined)
      this.#options.log.warn({ [this.#target.resource.kind]: this.#target.name }, this.#target.missing);
    await this.#publishing;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
    this.#retry?.[Symbol.dispose]();
    await this.#reflector.close();
    await this.#publishing;
  }

  get #object(): T | undefined {
    return this.#reflector.store.get({ name: this.#target.name });
  }

  #patch(): object | undefined {
    const { caBundle, admissionToken: token } = this.#options.certificates;
    const facts = { caBundle: Buffer.from(caBundle).toString('base64'), token };
    return this.#object === undefined ? undefined : this.#target.patchOf(this.#object, facts);
  }

  #wake(): void {
    if (this.#closed) return;
    this.#again = true;
    // #publish never rejects; close() waits for it.
    this.#publishing ??= this.#publish().finally(() => {
      this.#publishing = undefined;
      // What came when it had looked for the last time was left to it.
      if (this.#again) this.#wake();
    });
  }

  async #publish(): Promise<void> {
    const { client, certificates, clock, log } = this.#options;
    const { resource, name } = this.#target;
    while (this.#again && !this.#closed) {
      this.#again = false;
      if (this.#patch() === undefined) continue;
      try {
        // Another replica may have renewed them and published that already.
        await certificates.refresh();
        const patch = this.#patch();
        if (patch === undefined) continue;
        await client.mergePatch(resource, { name }, patch);
        log.info({ [resource.kind]: name }, 'published the certificate authority');
      } catch (err) {
        // The watch is about to bring what somebody else has written meanwhile; should it not, this looks again.
        if (!isConflict(err))
          log.warn({ err, [resource.kind]: name }, 'publishing the certificate authority failed');
        this.#retry = clock.timer(RETRY_MS, () => this.#wake());
      }
    }
  }
}
