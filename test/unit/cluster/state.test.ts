/** Names and addresses of clusters. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { claim, networkOf, readState } from '../../cluster/state.ts';
import { isAlive, ownerOf } from '../../cluster/daemons.ts';

describe('test/cluster/state', () => {
  it('keeps every address of a cluster in one network, and its interface name within 15 characters', () => {
    fc.assert(
      fc.property(fc.integer({ min: 160, max: 249 }), (slot) => {
        const { hostInterface, ...addresses } = networkOf(slot);
        assert.ok(hostInterface.length <= 15);
        for (const address of Object.values(addresses)) assert.ok(address.startsWith(`10.${slot}.`), address);
      }),
    );
  });

  it('refuses names that could not be folders or labels', async () => {
    for (const name of ['', '..', 'a/b', 'Upper', '-a', 'a-', 'x'.repeat(41), 'a b']) {
      await assert.rejects(claim({ name, node: false, fakeNodes: 0 }), /lower case letters/, name);
    }
  });

  it('finds no state where there is none', async () => {
    assert.equal(await readState('/nonexistent'), undefined);
  });

  it('tells a living owner from a dead one and from a later process with its id', () => {
    const owner = ownerOf(process.pid);
    assert.ok(owner);
    assert.equal(isAlive(owner), true);
    if (process.platform === 'linux') assert.equal(isAlive({ ...owner, started: '1' }), false);
    assert.equal(isAlive({ pid: 2 ** 22 + 1, started: '1' }), false);
  });
});
