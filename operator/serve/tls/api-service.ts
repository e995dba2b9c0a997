/** Tells kube-apiserver whom to trust at the live API: keeps the caBundle of the APIService what it must be. */
import type { Logger } from 'pino';
import { LIVE_GROUP, VERSION } from '../../../common/api/names.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import type { ApiService } from '../../../common/kube/core-types.ts';
import { Reflector } from '../../../common/kube/reflector.ts';
import { apiServices } from '../../../common/kube/resource.ts';
import type { Clock, OperatorCertificates } from './certificates.ts';

export const API_SERVICE = `${VERSION}.${LIVE_GROUP}`;
const RETRY_MS = 5000;

export interface CaBundlePublisherOptions {
  client: KubeClient;
  certificates: OperatorCertificates;
  clock: Clock;
  log: Logger;
}

/** Watches the APIService, so that one applied anew is put right at once. */
export class CaBundlePublisher implements AsyncDisposable {
  readonly #options: CaBundlePublisherOptions;
  readonly #reflector: Reflector<ApiService>;
  readonly #subscriptions: Disposable[] = [];
  #publishing: Promise<void> | undefined;
  #again = false;
  #retry: Disposable | undefined;
  #closed = false;

  constructor(options: CaBundlePublisherOptions) {
    this.#options = options;
    this.#reflector = new Reflector({
      client: options.client,
      resource: apiServices,
      fieldSelector: `metadata.name=${API_SERVICE}`,
    });
  }

  /** Resolves when the APIService was looked at. Rejects as Reflector.synced does. */
  async start(signal?: AbortSignal): Promise<void> {
    this.#subscriptions.push(
      this.#reflector.onChange(() => this.#wake()),
      this.#options.certificates.onChange(() => this.#wake()),
    );
    this.#reflector.start();
    await this.#reflector.synced(signal);
    if (this.#object === undefined) {
      this.#options.log.warn(
        { apiService: API_SERVICE },
        'there is no APIService: the live API cannot be reached',
      );
    }
    await this.#publishing;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
    this.#retry?.[Symbol.dispose]();
    await this.#reflector.close();
    await this.#publishing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  get #object(): ApiService | undefined {
    return this.#reflector.store.get({ name: API_SERVICE });
  }

  #isRight(): boolean {
    const { caBundle } = this.#object?.spec ?? {};
    return (
      this.#object === undefined ||
      Buffer.from(caBundle ?? '', 'base64').toString('utf8') === this.#options.certificates.caBundle
    );
  }

  #wake(): void {
    if (this.#closed) return;
    this.#again = true;
    // #publish never rejects; close() waits for it.
    this.#publishing ??= this.#publish().finally(() => (this.#publishing = undefined));
  }

  async #publish(): Promise<void> {
    const { client, certificates, clock, log } = this.#options;
    while (this.#again && !this.#closed) {
      this.#again = false;
      if (this.#isRight()) continue;
      try {
        // Another replica may have renewed them and published that already.
        await certificates.refresh();
        if (this.#isRight()) continue;
        const caBundle = Buffer.from(certificates.caBundle).toString('base64');
        await client.mergePatch(apiServices, { name: API_SERVICE }, { spec: { caBundle } });
        log.info({ apiService: API_SERVICE }, 'published the certificate authority');
      } catch (err) {
        log.warn({ err, apiService: API_SERVICE }, 'publishing the certificate authority failed');
        this.#retry = clock.timer(RETRY_MS, () => this.#wake());
      }
    }
  }
}
