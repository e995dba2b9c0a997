/** Where the API server is: behind its Service, and as it says itself. Agents are to reach neither. */
import type { EndpointSlice, Service } from '../../common/kube/core-types.ts';
import type { Reflector } from '../../common/kube/reflector.ts';

export interface ApiServerAddressesOptions {
  /** Both of the objects `kubernetes` in namespace `default`, which the API server keeps itself. */
  services: Reflector<Service>;
  endpointSlices: Reflector<EndpointSlice>;
}

export class ApiServerAddresses {
  readonly #options: ApiServerAddressesOptions;

  constructor(options: ApiServerAddressesOptions) {
    this.#options = options;
  }

  /** The same addresses are the same list. */
  get cidrs(): string[] {
    const { services, endpointSlices } = this.#options;
    const addresses = [
      ...services.store.list().flatMap(({ spec }) => [spec?.clusterIP ?? [], spec?.clusterIPs ?? []].flat()),
      ...endpointSlices.store
        .list()
        .filter(({ addressType }) => addressType !== 'FQDN')
        .flatMap(({ endpoints }) => (endpoints ?? []).flatMap((each) => each.addresses)),
    ];
    return [...new Set(addresses)]
      .filter((address) => address !== '' && address !== 'None')
      .sort()
      .map((address) => `${address}/${address.includes(':') ? 128 : 32}`);
  }

  onChange(listener: () => void): Disposable {
    const { services, endpointSlices } = this.#options;
    const subscriptions = new DisposableStack();
    subscriptions.use(services.onChange(listener));
    subscriptions.use(endpointSlices.onChange(listener));
    return subscriptions;
  }
}
