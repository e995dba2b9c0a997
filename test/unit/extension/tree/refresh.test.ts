/** When rows are drawn again, in real time: short waits, and no exact ones. */
import assert from 'node:assert/strict';
import { Refresh } from '../../../../extension/tree/refresh.ts';
import type { TreeNode } from '../../../../extension/tree/node.ts';
import { until } from '../../../support/until.ts';

const node = (id: string, parent?: TreeNode): TreeNode => ({
  id,
  parent,
  view: () => ({ id, label: id, collapsible: 'none', spoken: id }),
  children: async () => [],
});

describe('redrawing the tree', () => {
  const root = node('');
  const a = node('a', root);
  const b = node('b', a);
  const c = node('c', root);
  let fired: (string | undefined)[];
  let refresh: Refresh;
  beforeEach(() => {
    fired = [];
    refresh = new Refresh((each) => fired.push(each?.id), 20);
  });
  afterEach(() => refresh.dispose());

  it('is gathered, and leaves out what is drawn with a row above it', async () => {
    for (const each of [b, a, c, b]) refresh.request(each);
    assert.deepEqual(fired, []);
    await until(() => fired.length > 0, 'it is drawn');
    assert.deepEqual(fired, ['a', 'c']);
  });

  it('does not wait where somebody else does, and takes along what would have waited', async () => {
    refresh.request(a, 60_000);
    refresh.request(c, 0);
    refresh.request(c);
    await until(() => fired.length > 0, 'it is drawn');
    assert.deepEqual(fired, ['a', 'c']);
  });

  it('is not put off by what comes later', async () => {
    refresh.request(a);
    refresh.request(undefined, 60_000);
    await until(() => fired.length > 0, 'it is drawn');
    assert.deepEqual(fired, [undefined], 'everything, once');
    refresh.request(a);
    await until(() => fired.length > 1, 'it is drawn again');
  });
});
