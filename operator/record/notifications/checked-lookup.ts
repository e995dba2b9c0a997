/**
 * Looks up a name for a connection and lets only allowed addresses through: what it hands out is where the connection goes, so
 * that no second answer of the name server can change that.
 */
import { lookup as dnsLookup } from 'node:dns/promises';
import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { isAllowedAddress } from './addresses.ts';
import type { AddressRules } from './addresses.ts';

/** All addresses of a name. */
export type Resolve = (host: string) => Promise<LookupAddress[]>;

export const resolveAll: Resolve = (host) => dnsLookup(host, { all: true, verbatim: true });

export function checkedLookup(
  rules: Pick<AddressRules, 'allowed'>,
  resolve: Resolve,
  /** Its error is what the connection fails with. */
  blocked: (address: string) => Error,
): LookupFunction {
  return (host, options, callback) => {
    resolve(host).then(
      (addresses) => {
        const bad = addresses.find(({ address }) => !isAllowedAddress(address, rules));
        const [first] = addresses;
        if (bad !== undefined) callback(blocked(bad.address), '', 0);
        else if (first === undefined) callback(new Error('the name has no address'), '', 0);
        else if (options.all === true) callback(null, addresses);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, '', 0),
    );
  };
}
