import { deepEqual, equal } from 'node:assert/strict';
import { BoundedMap } from '../../../common/bounded-map.ts';

describe('BoundedMap', () => {
  it('holds so many entries, and the one set longest ago makes room', () => {
    const map = new BoundedMap<string, number>(2);
    map.set('a', 1).set('b', 2).set('c', 3);
    deepEqual(
      [...map],
      [
        ['b', 2],
        ['c', 3],
      ],
    );
  });

  it('takes an entry that is set again for the newest', () => {
    const map = new BoundedMap<string, number>(2);
    map.set('a', 1).set('b', 2).set('a', 3).set('c', 4);
    deepEqual(
      [...map],
      [
        ['a', 3],
        ['c', 4],
      ],
    );
    equal(map.get('b'), undefined);
  });

  it('does not take reading for use', () => {
    const map = new BoundedMap<string, number>(2);
    map.set('a', 1).set('b', 2);
    equal(map.get('a'), 1);
    map.set('c', 3);
    equal(map.has('a'), false);
  });
});
