/** The client's verbs against a real API server. */
import assert from 'node:assert/strict';
import type { ConfigMap, ServiceAccount } from '../../../common/kube/core-types.ts';
import type { KubeClient } from '../../../common/kube/client.ts';
import {
  isAlreadyExists,
  isConflict,
  isInvalid,
  isNotFound,
  KubeError,
} from '../../../common/kube/errors.ts';
import { mergePatchOf } from '../../../common/kube/patch.ts';
import {
  configMaps,
  namespaces,
  resourcePath,
  serviceAccounts,
  sessions,
} from '../../../common/kube/resource.ts';
import { testCluster } from '../../support/cluster.ts';
import type { TestCluster } from '../../support/cluster.ts';
import { eventually } from './eventually.ts';

describe('the Kubernetes client', function () {
  this.timeout(60_000);
  let cluster: TestCluster;
  let client: KubeClient;
  let namespace: string;

  before(async function () {
    this.timeout(600_000);
    cluster = await testCluster(this);
    client = cluster.client;
    namespace = await cluster.namespace('client');
  });

  const configMap = (name: string, data: Record<string, string> = {}): ConfigMap => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace },
    data,
  });

  it('creates, gets, replaces and deletes', async () => {
    const created = await client.create(configMaps, configMap('crud', { a: '1' }));
    assert.ok(created.metadata.uid);
    assert.ok(
      isAlreadyExists(await client.create(configMaps, configMap('crud')).catch((error: unknown) => error)),
    );
    await client.replace(configMaps, { ...created, data: { a: '2' } });
    assert.equal((await client.get(configMaps, { namespace, name: 'crud' })).data?.['a'], '2');
    const stale = await client
      .replace(configMaps, { ...created, data: { a: '3' } })
      .catch((error: unknown) => error);
    assert.ok(isConflict(stale) && !isAlreadyExists(stale));
    await client.delete(configMaps, { namespace, name: 'crud' });
    const gone = await client.get(configMaps, { namespace, name: 'crud' }).catch((error: unknown) => error);
    assert.ok(isNotFound(gone));
    assert.ok(gone instanceof KubeError);
    assert.equal(gone.message, 'configmaps "crud" not found');
    assert.equal(gone.kubeStatus?.details?.name, 'crud');
  });

  it('deletes only what it means', async () => {
    const { metadata } = await client.create(configMaps, configMap('meant'));
    const at = { namespace, name: 'meant' };
    const wrong = client.delete(configMaps, at, { preconditions: { uid: 'another' } });
    await assert.rejects(wrong, (error: unknown) => isConflict(error));
    await client.delete(configMaps, at, {
      preconditions: { uid: metadata.uid ?? '' },
      propagationPolicy: 'Background',
    });
  });

  it('can try without storing', async () => {
    await client.create(configMaps, configMap('dry'), { dryRun: true });
    await assert.rejects(client.get(configMaps, { namespace, name: 'dry' }), (error: unknown) =>
      isNotFound(error),
    );
  });

  it('patches with what changed, removal included, and not over somebody else’s change', async () => {
    const before = await client.create(configMaps, configMap('patched', { a: '1', b: '2' }));
    const patch = mergePatchOf(before, { ...before, data: { a: '9' } });
    assert.deepEqual(patch, { data: { a: '9', b: null } });
    const at = { namespace, name: 'patched' };
    const after = await client.mergePatch(configMaps, at, patch);
    assert.deepEqual(after.data, { a: '9' });
    const stale = { metadata: { resourceVersion: before.metadata.resourceVersion }, data: { a: '0' } };
    await assert.rejects(client.mergePatch(configMaps, at, stale), (error: unknown) => isConflict(error));
  });

  it('patches by operations, which may test first', async () => {
    await client.create(configMaps, configMap('ops', { a: '1' }));
    const at = { namespace, name: 'ops' };
    const after = await client.jsonPatch(configMaps, at, [
      { op: 'test', path: '/data/a', value: '1' },
      { op: 'add', path: '/data/b', value: '2' },
      { op: 'remove', path: '/data/a' },
    ]);
    assert.deepEqual(after.data, { b: '2' });
    const failing = client.jsonPatch(configMaps, at, [{ op: 'test', path: '/data/b', value: 'x' }]);
    await assert.rejects(failing, (error: unknown) => isInvalid(error));
  });

  it('applies as a named manager, and takes fields from others only by force', async () => {
    const object = configMap('applied', { a: '1' });
    const applied = await client.apply(configMaps, object, { fieldManager: 'first' });
    assert.equal(applied.data?.['a'], '1');
    const theirs = { ...object, data: { a: '2' } };
    await assert.rejects(client.apply(configMaps, theirs, { fieldManager: 'second' }), (error: unknown) =>
      isConflict(error),
    );
    const forced = await client.apply(configMaps, theirs, { fieldManager: 'second', force: true });
    assert.equal(forced.data?.['a'], '2');
  });

  it('writes status apart from spec, and is told which field is wrong', async () => {
    const session = await client.create(sessions, {
      apiVersion: 'ambient.ai/v1alpha1',
      kind: 'Session',
      metadata: { name: 'one', namespace },
      spec: { framework: { type: 'no-such-framework' } },
    });
    const at = { namespace, name: 'one', subresource: 'status' as const };
    const patched = await client.mergePatch(sessions, at, { status: { phase: 'Pending' } });
    assert.equal(patched.status?.phase, 'Pending');
    assert.deepEqual(patched.spec, session.spec);
    const refused = await client
      .mergePatch(sessions, at, { status: { phase: 'Dancing' } })
      .catch((error: unknown) => error);
    assert.ok(isInvalid(refused));
    assert.match((refused as KubeError).message, /status\.phase: .*Dancing/);
    assert.equal((refused as KubeError).kubeStatus?.details?.causes?.[0]?.field, 'status.phase');
    await client.delete(sessions, { namespace, name: 'one' });
  });

  it('lists in pages, of one moment, with kinds and selectors', async () => {
    for (let i = 0; i < 7; i++) await client.create(configMaps, configMap(`page-${i}`));
    const sizes: number[] = [];
    const versions = new Set<string>();
    for await (const page of client.listPages(configMaps, { namespace }, { limit: 3 })) {
      sizes.push(page.items.length);
      versions.add(page.resourceVersion);
      assert.ok(page.items.every(({ kind, apiVersion }) => kind === 'ConfigMap' && apiVersion === 'v1'));
    }
    assert.ok(sizes.length >= 3 && sizes.slice(0, -1).every((size) => size === 3));
    assert.equal(versions.size, 1);
    const all = await client.list(configMaps, { namespace }, { limit: 2 });
    assert.equal(
      all.items.length,
      sizes.reduce((sum, size) => sum + size, 0),
    );
    const one = await client.list(configMaps, { namespace }, { fieldSelector: 'metadata.name=page-3' });
    assert.deepEqual(
      one.items.map(({ metadata }) => metadata.name),
      ['page-3'],
    );
    assert.deepEqual((await client.list(configMaps, { namespace }, { labelSelector: 'no=such' })).items, []);
  });

  it('knows which API groups are served', async () => {
    assert.equal(await client.discovers('ambient.ai', 'v1alpha1'), true);
    assert.equal(await client.discovers('ambient.ai', 'v9'), false);
    assert.equal(await client.discovers('no.such.group', 'v1'), false);
    assert.equal(await client.discovers('', 'v1'), true);
  });

  it('asks what it and others may do', async () => {
    const create = { verb: 'create', group: 'ambient.ai', resource: 'sessions', namespace };
    assert.equal((await client.selfSubjectAccessReview(create)).allowed, true);
    assert.equal((await client.subjectAccessReview({ user: 'nobody' }, create)).allowed, false);
    const rules = await client.selfSubjectRulesReview(namespace);
    assert.ok(
      rules.resourceRules.some(({ verbs, resources }) => verbs.includes('*') && resources?.includes('*')),
    );
  });

  it('finds out whose token it is, and for whom', async () => {
    const account: ServiceAccount = {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'runner', namespace },
    };
    await client.create(serviceAccounts, account);
    const path = resourcePath(serviceAccounts, { namespace, name: 'runner', subresource: 'token' });
    const body = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences: ['ambient'] },
    };
    const request = await client.connection.json<{ status: { token: string } }>(path, {
      method: 'POST',
      body,
    });
    const owner = await client.tokenReview(request.status.token, ['ambient', 'other']);
    assert.equal(owner.authenticated, true);
    assert.equal(owner.user?.username, `system:serviceaccount:${namespace}:runner`);
    assert.deepEqual(owner.audiences, ['ambient']);
    assert.equal((await client.tokenReview(request.status.token, ['other'])).authenticated ?? false, false);
    assert.equal((await client.tokenReview('nonsense', ['ambient'])).authenticated ?? false, false);
  });

  it('counts its requests by verb and resource', async () => {
    const { connection } = client;
    const before = connection.requests;
    const listed = (): number =>
      connection.requestCounts().find(({ verb, resource }) => verb === 'list' && resource === 'namespaces')
        ?.count ?? 0;
    const listedBefore = listed();
    await client.list(namespaces);
    await eventually(() => assert.equal(listed(), listedBefore + 1));
    assert.ok(connection.requests > before);
  });
});
