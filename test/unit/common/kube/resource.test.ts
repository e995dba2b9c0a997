import assert from 'node:assert/strict';
import {
  frameworks,
  namespaces,
  pods,
  resourceIn,
  resourcePath,
  sessions,
} from '../../../../common/kube/resource.ts';

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

describe('resourceIn', () => {
  it('names what a path is about like a rule of RBAC', () => {
    for (const [path, resource] of [
      [resourcePath(pods), 'pods'],
      [resourcePath(pods, { namespace: 'a', query: { limit: '5' } }), 'pods'],
      [resourcePath(sessions, { namespace: 'a', name: 'b' }), 'sessions'],
      [resourcePath(sessions, { namespace: 'a', name: 'b', subresource: 'status' }), 'sessions/status'],
      [resourcePath(frameworks, { name: 'a', subresource: 'status' }), 'frameworks/status'],
      [resourcePath(namespaces), 'namespaces'],
      [resourcePath(namespaces, { name: 'a' }), 'namespaces'],
      [resourcePath(namespaces, { name: 'a', subresource: 'finalize' }), 'namespaces/finalize'],
      ['/api/v1/namespaces/a/pods/b:8080/proxy/metrics/x', 'pods/proxy'],
      ['/version', ''],
      ['/apis/ambient.ai', ''],
      ['/apis/ambient.ai/v1alpha1', ''],
    ] as const)
      assert.equal(resourceIn(path), resource, path);
  });
});
