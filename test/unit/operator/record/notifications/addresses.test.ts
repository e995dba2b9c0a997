import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isAllowedAddress, listOf } from '../../../../../operator/record/notifications/addresses.ts';

const nothing = { allowed: listOf([]) };

const REFUSED: [address: string, why: string][] = [
  ['0.0.0.0', 'unspecified'],
  ['0.1.2.3', 'this network'],
  ['10.0.0.1', 'private'],
  ['10.96.0.1', 'the API server of most clusters'],
  ['100.64.0.1', 'carrier-grade NAT'],
  ['100.127.255.255', 'carrier-grade NAT'],
  ['127.0.0.1', 'loopback'],
  ['127.255.255.254', 'loopback'],
  ['169.254.169.254', 'cloud metadata'],
  ['172.16.0.1', 'private'],
  ['172.31.255.255', 'private'],
  ['192.0.0.8', 'IETF protocol'],
  ['192.0.2.1', 'documentation'],
  ['192.168.1.1', 'private'],
  ['198.18.0.1', 'benchmarks'],
  ['198.51.100.7', 'documentation'],
  ['203.0.113.7', 'documentation'],
  ['224.0.0.1', 'multicast'],
  ['240.0.0.1', 'reserved'],
  ['255.255.255.255', 'broadcast'],
  ['::', 'unspecified'],
  ['::1', 'loopback'],
  ['::ffff:127.0.0.1', 'mapped loopback'],
  ['::ffff:7f00:1', 'mapped loopback in hexadecimal'],
  ['0:0:0:0:0:ffff:169.254.169.254', 'mapped metadata, written out'],
  ['::127.0.0.1', 'IPv4-compatible loopback'],
  ['64:ff9b::a00:1', 'NAT64 of 10.0.0.1'],
  ['64:ff9b:1::1', 'local NAT64'],
  ['100::1', 'discard'],
  ['2001::1', 'Teredo'],
  ['2001:db8::1', 'documentation'],
  ['2002:a00:1::1', '6to4 of 10.0.0.1'],
  ['3fff::1', 'documentation'],
  ['fc00::1', 'unique local'],
  ['fd00:ec2::254', 'cloud metadata'],
  ['fe80::1', 'link-local'],
  ['fe80::1%eth0', 'link-local with zone'],
  ['2606:4700::1%eth0', 'public with zone'],
  ['fec0::1', 'site-local'],
  ['ff02::1', 'multicast'],
  ['4000::1', 'not assigned'],
  ['example.com', 'no address'],
  ['', 'no address'],
  ['1.2.3', 'no address'],
  ['0x7f.0.0.1', 'no address'],
];

describe('the address of a webhook', () => {
  for (const [address, why] of REFUSED)
    it(`is refused when it is ${address}: ${why}`, () =>
      assert.equal(isAllowedAddress(address, nothing), false));

  for (const address of [
    '1.1.1.1',
    '8.8.8.8',
    '172.32.0.1',
    '100.128.0.1',
    '192.167.0.1',
    '2606:4700::1111',
    '::ffff:8.8.8.8',
  ])
    it(`is fine when it is ${address}`, () => assert.equal(isAllowedAddress(address, nothing), true));

  it('may be special when the administrator allows its network, and only then', () => {
    const rules = { allowed: listOf(['10.1.0.0/16', 'fd00:1::/64', '127.0.0.1/32']) };
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', 'fd00:1::5', '127.0.0.1'])
      assert.equal(isAllowedAddress(address, rules), true, address);
    for (const address of ['10.2.0.1', 'fd00:2::5', '127.0.0.2', '::ffff:10.2.0.1', '::1'])
      assert.equal(isAllowedAddress(address, rules), false, address);
  });

  it('is refused or allowed alike, mapped into IPv6 or not', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) =>
        assert.equal(isAllowedAddress(`::ffff:${address}`, nothing), isAllowedAddress(address, nothing)),
      ),
    );
  });

  it('is judged by networks that are networks', () => {
    for (const text of [
      '10.0.0.0',
      '10.0.0.0/33',
      '10.0.0/8',
      'fd00::/129',
      'all',
      '10.0.0.0/8/8',
      '10.0.0.0/-1',
      '/',
    ])
      assert.throws(() => listOf([text]), RangeError, text);
  });
});
