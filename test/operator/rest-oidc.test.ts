/** People of an OpenID Connect provider at the REST API: the real provider, the real API server's RBAC. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NamespaceList, SessionDetail } from '../../common/api/rest/session.ts';
import { sessions } from '../../common/kube/resource.ts';
import { TestCertificates } from '../support/certificates.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { manifests } from '../support/deploy.ts';
import { rightsAreKnown } from '../support/known-rights.ts';
import { oidcProvider } from '../support/oidc-provider.ts';
import type { TestProvider } from '../support/oidc-provider.ts';
import { runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { aPerson, operatorAuthority, outcomeOf, restAt } from '../support/rest.ts';
import type { Rest } from '../support/rest.ts';
import { until } from '../support/until.ts';

describe('the REST API for people of an OpenID Connect provider', function () {
  this.timeout(60_000);
  let cluster: TestCluster;
  let provider: TestProvider;
  let operator: OperatorProcess;
  let rest: Rest;
  let own: string;
  let folder: string;

  before(async function () {
    this.timeout(300_000);
    cluster = await testCluster(this);
    await cluster.kubectl(['apply', '-f', join(manifests, 'frameworks')]);
    const certificates = await TestCertificates.make();
    provider = await oidcProvider(certificates);
    folder = await mkdtemp(join(tmpdir(), 'ambient-oidc-'));
    const authority = join(folder, 'ca.pem');
    await writeFile(authority, certificates.ca);
    operator = await runOperatorProcess(cluster, {
      admission: true,
      flags: {
        'oidc-issuer-url': provider.issuer,
        'oidc-client-id': 'ambient',
        'oidc-username-prefix': 'oidc:',
        'oidc-groups-claim': 'groups',
        'oidc-groups-prefix': 'oidc:',
        'oidc-ca-file': authority,
      },
    });
    own = await cluster.namespace('oidc');
    const bind = (name: string, role: string, whom: string) =>
      cluster.kubectl(['-n', own, 'create', 'rolebinding', name, `--clusterrole=${role}`, whom]);
    await bind('developers', 'ambient-editor', '--group=oidc:developers');
    await bind('ben', 'ambient-viewer', '--user=oidc:ben');
    await rightsAreKnown(cluster, 'oidc:ben', own);
    rest = restAt({
      host: cluster.nodeHostAddress,
      port: operator.ports.rest,
      ca: await operatorAuthority(cluster),
    });
  });
  after(async function () {
    this.timeout(60_000);
    await cluster?.removeSessions();
    await operator?.[Symbol.asyncDispose]();
    await provider?.[Symbol.asyncDispose]();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  const json = { framework: { type: 'generic', config: { command: 'true' } } };
  const list = (token: string) => rest(`/namespaces/${own}/sessions`, { token });
  const launch = (token: string) => rest(`/namespaces/${own}/sessions`, { method: 'POST', token, json });

  it('gives them what RBAC gives their names and groups, and launches under their names', async () => {
    const ann = await provider.idToken({ sub: 'ann', groups: ['developers'] });
    const answer = await launch(ann);
    assert.equal(outcomeOf(answer), '201', answer.text);
    const { id } = answer.json as SessionDetail;
    const { createdBy } = (await cluster.client.get(sessions, { namespace: own, name: id })).spec;
    assert.deepEqual(createdBy, { user: 'oidc:ann', groups: ['oidc:developers', 'system:authenticated'] });
    const ben = await provider.idToken({ sub: 'ben' });
    assert.equal(outcomeOf(await list(ben)), '200');
    assert.equal(outcomeOf(await launch(ben)), '403 forbidden');
    const { user } = (await rest('/user/namespaces', { token: ann })).json as NamespaceList;
    assert.deepEqual(user, { username: 'oidc:ann', groups: ['oidc:developers', 'system:authenticated'] });
  });

  it('gives nobody the rights of the cluster’s own', async () => {
    const root = await provider.idToken({ sub: 'root', groups: ['system:masters'] });
    assert.equal(outcomeOf(await list(root)), '403 forbidden');
  });

  it('lets nobody in with a token for somebody else, and goes on when keys are exchanged', async () => {
    const other = await provider.idToken({ sub: 'ann', groups: ['developers'] }, { client: 'somebody-else' });
    assert.equal(outcomeOf(await list(other)), '401 unauthenticated');
    await provider.rotate();
    const ben = await provider.idToken({ sub: 'ben' });
    // Keys that are not known are looked for once in ten seconds.
    await until(async () => (await list(ben)).status === 200, 'the new key is known', 20_000);
  });

  it('goes on taking tokens of the cluster beside them', async () => {
    const token = await aPerson(cluster, own, 'robot', { [own]: 'ambient-viewer' });
    assert.equal(outcomeOf(await list(token)), '200');
  });
});
