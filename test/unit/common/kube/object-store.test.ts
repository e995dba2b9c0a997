import assert from 'node:assert/strict';
import type { KubeObject } from '../../../../common/api/kubernetes.ts';
import { ObjectStore } from '../../../../common/kube/object-store.ts';

const object = (namespace: string, name: string, phase?: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Thing',
  metadata: { namespace, name, ...(phase === undefined ? {} : { labels: { phase } }) },
});
const names = (objects: KubeObject[]): string[] => objects.map(({ metadata }) => metadata.name).sort();

describe('an object store', () => {
  const open = () =>
    new ObjectStore<KubeObject>({
      cluster: 'c',
      indexes: {
        phase: ({ metadata }) => (metadata.labels?.phase === undefined ? [] : [metadata.labels.phase]),
      },
    });

  it('reads by name, namespace and index', () => {
    const store = open();
    for (const each of [object('a', 'x', 'new'), object('a', 'y', 'old'), object('b', 'x', 'new')])
      store.upsert(each);
    assert.equal(store.size, 3);
    assert.equal(store.get({ namespace: 'b', name: 'x' })?.metadata.namespace, 'b');
    assert.equal(store.get({ namespace: 'b', name: 'y' }), undefined);
    assert.deepEqual(names(store.list('a')), ['x', 'y']);
    assert.equal(store.list().length, 3);
    assert.equal(store.byIndex('phase', 'new').length, 2);
    assert.equal(store.countByIndex('phase', 'none'), 0);
    assert.deepEqual(store.namespaces(), ['a', 'b']);
  });

  it('moves an object in its indexes when it changes, and removes it with its namespace', () => {
    const store = open();
    const before = object('a', 'x', 'new');
    store.upsert(before);
    assert.equal(store.upsert(object('a', 'x', 'old')), before);
    assert.deepEqual(store.byIndex('phase', 'new'), []);
    assert.equal(store.byIndex('phase', 'old').length, 1);
    assert.equal(store.remove({ namespace: 'a', name: 'x' })?.metadata.name, 'x');
    assert.equal(store.remove({ namespace: 'a', name: 'x' }), undefined);
    assert.equal(store.size, 0);
    assert.deepEqual(store.byIndex('phase', 'old'), []);
    assert.deepEqual(store.namespaces(), []);
  });

  it('keeps objects without a namespace under the empty one', () => {
    const store = open();
    store.upsert({ apiVersion: 'v1', kind: 'Thing', metadata: { name: 'x' } });
    assert.ok(store.get({ name: 'x' }));
    assert.ok(store.get({ namespace: '', name: 'x' }));
  });

  it('drops what a new list did not hold', () => {
    const store = open();
    const kept = object('a', 'x', 'new');
    store.upsert(kept);
    store.upsert(object('a', 'y', 'new'));
    assert.deepEqual(names([...store.retain(new Set([kept]))]), ['y']);
    assert.deepEqual(names(store.byIndex('phase', 'new')), ['x']);
  });

  it('refuses an index it was not made with', () => {
    assert.throws(() => open().byIndex('colour', 'red'), RangeError);
  });
});
