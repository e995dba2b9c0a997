import assert from 'node:assert/strict';
import fc from 'fast-check';
import { keyOf, keyText, parseKey } from '../../../../common/kube/key.ts';

describe('an object key', () => {
  it('comes back from its text, whatever the cluster is called', () => {
    const name = fc.stringMatching(/^[a-z0-9]([-.a-z0-9@:]{0,60}[a-z0-9])?$/);
    const namespace = fc.stringMatching(/^([a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?)?$/);
    fc.assert(
      fc.property(fc.string(), namespace, name, (cluster, ns, n) => {
        const key = { cluster, namespace: ns, name: n };
        assert.deepEqual(parseKey(keyText(key)), key);
      }),
    );
  });

  it('differs between clusters, namespaces and names', () => {
    const texts = ['a', 'b'].flatMap((cluster) =>
      ['', 'a', 'b'].flatMap((namespace) => ['a', 'b'].map((name) => keyText({ cluster, namespace, name }))),
    );
    assert.equal(new Set(texts).size, texts.length);
  });

  it('has an empty namespace for a cluster-scoped object', () => {
    assert.deepEqual(keyOf('c', { metadata: { name: 'n' } }), { cluster: 'c', namespace: '', name: 'n' });
  });

  it('is refused when the text is none', () => {
    for (const text of ['', 'a', 'a/b', '/@c', 'a@b']) assert.throws(() => parseKey(text), RangeError);
  });
});
