/** Blocks of addresses, and what of them may be opened: everything asked for, and nothing that is closed. */
import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import fc from 'fast-check';
import { Compile } from 'typebox/compile';
import { EgressRule } from '../../../../common/api/namespace-policy.ts';
import { covers, formatCidr, parseCidr } from '../../../../common/rules/cidr.ts';
import type { Cidr } from '../../../../common/rules/cidr.ts';
import { ALWAYS_CLOSED, openBlock } from '../../../../common/rules/egress.ts';

const block = (family: 4 | 6, length: number): fc.Arbitrary<string> =>
  fc
    // Few bits at the top, so that blocks meet.
    .tuple(
      fc.bigInt(0n, 15n),
      fc.bigInt(0n, (1n << BigInt(length - 4)) - 1n),
      fc.integer({ min: 0, max: length }),
    )
    .map(([top, rest, bits]) => {
      const base = (((top << BigInt(length - 4)) | rest) >> BigInt(length - bits)) << BigInt(length - bits);
      return formatCidr({ family, base, bits });
    });
const blocks = fc.oneof(block(4, 32), block(6, 128), fc.constantFrom<string>(...ALWAYS_CLOSED));

const read = (text: string): Cidr => {
  const cidr = parseCidr(text);
  assert.ok(cidr !== undefined, text);
  return cidr;
};
const typeOf = (family: 4 | 6): 'ipv4' | 'ipv6' => (family === 4 ? 'ipv4' : 'ipv6');
/** Node's own reading, a family at a time: its IPv6 blocks hold addresses of IPv4 too. */
function hasIn(texts: readonly string[]): (address: string, family: 4 | 6) => boolean {
  const lists = { 4: new BlockList(), 6: new BlockList() };
  for (const text of texts) {
    const cidr = read(text);
    lists[cidr.family].addSubnet(text.split('/')[0] ?? '', cidr.bits, typeOf(cidr.family));
  }
  return (address, family) => lists[family].check(address, typeOf(family));
}
/** The first address of a block, the last one, and some in between. */
function addressesOf(text: string, seeds: readonly bigint[]): string[] {
  const { family, base, bits } = read(text);
  const length = family === 4 ? 32 : 128;
  const size = 1n << BigInt(length - bits);
  return [0n, size - 1n, ...seeds.map((seed) => seed % size)].map(
    (offset) => formatCidr({ family, base: base + offset, bits: length }).split('/')[0] ?? '',
  );
}

describe('a block of addresses', () => {
  it('is written as it was read, less what stands behind its length', () => {
    for (const [text, written] of [
      ['0.0.0.0/0', '0.0.0.0/0'],
      ['10.1.2.3/8', '10.0.0.0/8'],
      ['192.0.2.7/32', '192.0.2.7/32'],
      ['::/0', '::/0'],
      ['2001:DB8:0:0:1:0:0:1/128', '2001:db8::1:0:0:1/128'],
      ['fd00:ec2::254/64', 'fd00:ec2::/64'],
      ['1:2:3:4:5:6:7:8/127', '1:2:3:4:5:6:7:8/127'],
    ] as const)
      assert.equal(formatCidr(read(text)), written);
    fc.assert(fc.property(blocks, (text) => assert.equal(formatCidr(read(text)), text)));
  });

  it('is nothing else', () => {
    for (const text of [
      '',
      '10.0.0.0',
      '10.0.0.0/',
      '10.0.0.0/33',
      '10.0.0.0/08',
      '10.0.0/8',
      '010.0.0.0/8',
      '10.0.0.256/8',
      '10.0.0.0/8/8',
      '::/129',
      ':::/0',
      '1::2::3/64',
      '1:2:3/64',
      '1:2:3:4:5:6:7:8::/64',
      '12345::/16',
      'fe80::1%eth0/64',
      'example.org/32',
      // The metadata service in other clothes.
      '::ffff:169.254.169.254/128',
      '::ffff:a9fe:a9fe/128',
      '0:0:0:0:0:ffff:a9fe:0/112',
    ])
      assert.equal(parseCidr(text), undefined, text);
  });

  it('is taken by the schema whenever it can be read', () => {
    const schema = Compile(EgressRule);
    fc.assert(fc.property(blocks, (cidr) => assert.ok(schema.Check({ cidr, except: [cidr] }))));
    for (const cidr of [
      '10.0.0.0',
      '10.0.0.256/8',
      '10.0.0.0/33',
      '::/129',
      'example.org/32',
      '::ffff:1.2.3.4/128',
    ])
      assert.ok(!schema.Check({ cidr }), cidr);
  });

  it('covers what lies in it', () => {
    const within = (outer: string, inner: string): boolean => covers(read(outer), read(inner));
    assert.ok(within('10.0.0.0/8', '10.255.0.0/16'));
    assert.ok(within('10.0.0.0/8', '10.0.0.0/8'));
    assert.ok(!within('10.0.0.0/8', '0.0.0.0/0'));
    assert.ok(!within('10.0.0.0/8', '11.0.0.0/8'));
    assert.ok(!within('::/0', '10.0.0.0/8'));
  });
});

describe('what is opened', () => {
  it('is the block without what is closed', () => {
    assert.deepEqual(openBlock('0.0.0.0/0', ['10.0.0.0/8'], ['10.96.0.1/32', 'fd00::1/128']), {
      cidr: '0.0.0.0/0',
      except: ['169.254.0.0/16', '100.100.100.200/32', '168.63.129.16/32', '10.0.0.0/8', '10.96.0.1/32'],
    });
    assert.deepEqual(openBlock('192.0.2.0/24', [], []), { cidr: '192.0.2.0/24' });
  });

  it('is nothing where all of the block is closed, or something cannot be read', () => {
    assert.equal(openBlock('169.254.169.254/32', [], []), undefined);
    assert.equal(openBlock('10.96.0.1/32', [], ['10.96.0.1/32']), undefined);
    assert.equal(openBlock('10.0.0.0/8', ['0.0.0.0/0'], []), undefined);
    assert.equal(openBlock('1:2:3/64', [], []), undefined);
    assert.equal(openBlock('10.0.0.0/8', ['10.0.0.0'], []), undefined);
  });

  it('holds no address that is closed, and every other one', () => {
    const some = fc.array(blocks, { maxLength: 5 });
    const seeds = fc.array(fc.bigInt(0n, (1n << 128n) - 1n), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(blocks, some, some, seeds, (cidr, except, closed, offsets) => {
        const opened = openBlock(cidr, except, closed);
        const all = [...ALWAYS_CLOSED, ...except, ...closed];
        const isHole = hasIn(all);
        const isAsked = hasIn([cidr]);
        const isIn = hasIn(opened === undefined ? [] : [opened.cidr]);
        const isExcepted = hasIn(opened?.except ?? []);
        for (const text of [cidr, ...all])
          for (const address of addressesOf(text, offsets)) {
            const { family } = read(text);
            const isOpen = isIn(address, family) && !isExcepted(address, family);
            assert.equal(isOpen, isAsked(address, family) && !isHole(address, family), address);
          }
        // What the API server demands of exceptions.
        for (const hole of opened?.except ?? []) {
          assert.ok(covers(read(cidr), read(hole)));
          assert.notEqual(hole, opened?.cidr);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
