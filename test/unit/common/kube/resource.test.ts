import assert from 'node:assert/strict';
import { frameworks, pods, resourcePath, sessions } from '../../../../common/kube/resource.ts';

describe('resourcePath', () => {
  it('knows the core group, other groups, namespaces and subresources', () => {
    assert.equal(resourcePath(pods), '/api/v1/pods');
    assert.equal(resourcePath(pods, { namespace: 'a' }), '/api/v1/namespaces/a/pods');
    assert.equal(
      resourcePath(sessions, { namespace: 'a', name: 'b', subresource: 'status' }),
      '/apis/ambient.ai/v1alpha1/namespaces/a/sessions/b/status',
    );
    assert.equal(
      resourcePath(frameworks, { name: 'generic' }),
      '/apis/ambient.ai/v1alpha1/frameworks/generic',
    );
  });

  it('ignores a namespace for cluster-scoped resources', () => {
    assert.equal(
      resourcePath(frameworks, { namespace: 'a', name: 'b' }),
      '/apis/ambient.ai/v1alpha1/frameworks/b',
    );
  });

  it('escapes names and leaves out what is undefined in the query', () => {
    assert.equal(
      resourcePath(pods, { namespace: 'a', name: 'b/../c', query: { x: 'ä &', y: undefined, z: true } }),
      '/api/v1/namespaces/a/pods/b%2F..%2Fc?x=%C3%A4%20%26&z=true',
    );
  });

  it('refuses names that no escaping can carry, and objects without their namespace', () => {
    for (const name of ['', '.', '..']) {
      assert.throws(() => resourcePath(pods, { namespace: 'a', name }), RangeError);
      if (name !== '') assert.throws(() => resourcePath(pods, { namespace: name }), RangeError);
    }
    assert.throws(() => resourcePath(pods, { name: 'a' }), /needs a namespace/);
  });
});
