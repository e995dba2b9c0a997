/** Contexts and connections as the kubeconfig changes under them. Connections open nothing before their first request. */
import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Clusters } from '../../../../extension/clusters/clusters.ts';
import { KubeconfigWatch } from '../../../../extension/clusters/kubeconfig-watch.ts';
import { pin, pinnedIn, unpin } from '../../../../extension/clusters/pinned.ts';
import { installCommand, shellWord } from '../../../../extension/clusters/problem.ts';
import { until } from '../../../support/until.ts';

const config = (contexts: string[], current: string, port = 6443): string => `
apiVersion: v1
kind: Config
current-context: ${current}
clusters: [${contexts.map((name) => `{name: ${name}, cluster: {server: 'https://127.0.0.1:${port}'}}`).join(', ')}]
users: [{name: jo, user: {token: secret}}]
contexts: [${contexts.map((name) => `{name: ${name}, context: {cluster: ${name}, user: jo, namespace: demo}}`).join(', ')}]
`;

describe('the clusters of a kubeconfig', () => {
  let folder: string;
  let file: string;
  let clusters: Clusters;
  let changes: number;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ambient-clusters-'));
    file = join(folder, 'config');
    await writeFile(file, config(['a', 'b'], 'a'));
    clusters = new Clusters({
      kubeconfigPath: () => undefined,
      execTimeoutMs: () => 1000,
      env: { KUBECONFIG: file },
      homeDir: folder,
      userAgent: 'test',
    });
    changes = 0;
    clusters.onDidChange(() => (changes += 1));
  });
  afterEach(async () => {
    await clusters.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('opens one connection for each context, whoever asks', async () => {
    const [first, again, other] = await Promise.all(['a', 'a', 'b'].map((name) => clusters.connection(name)));
    assert.equal(first, again);
    assert.notEqual(first, other);
    assert.equal((await clusters.client('a')).connection, first);
  });

  it('keeps connections open when only the current context changes', async () => {
    const before = await clusters.connection('a');
    await writeFile(file, config(['a', 'b'], 'b'));
    await clusters.reload();
    assert.equal((await clusters.kubeconfig()).currentContext, 'b');
    assert.equal(await clusters.connection('a'), before);
    assert.equal(changes, 1);
  });

  it('closes them when anything else changes, since it may be the credentials', async () => {
    const before = await clusters.connection('a');
    await writeFile(file, config(['a', 'b'], 'a').replace('secret', 'renewed'));
    await clusters.reload();
    assert.notEqual(await clusters.connection('a'), before);
    await assert.rejects(before.json('/version'), /closed/);
  });

  it('gives a new connection after reconnecting', async () => {
    const before = await clusters.connection('a');
    await clusters.reconnect('a');
    assert.notEqual(await clusters.connection('a'), before);
    assert.equal(changes, 1);
  });

  it('tries again after a failure, and names an unknown context', async () => {
    await assert.rejects(clusters.connection('c'), /no context "c"/);
    await writeFile(file, config(['c'], 'c'));
    await clusters.reload();
    assert.ok(await clusters.connection('c'));
  });

  it('notices when the file appears, is replaced and goes', async function () {
    this.timeout(30_000);
    let seen = 0;
    const watch = new KubeconfigWatch(() => (seen += 1));
    try {
      const late = join(folder, 'late');
      watch.follow([late, file]);
      await writeFile(late, 'x');
      await until(() => seen === 1, 'the new file is noticed');
      await writeFile(join(folder, 'next'), 'longer than before');
      await rename(join(folder, 'next'), late);
      await until(() => seen === 2, 'the replacement is noticed');
      await rm(late);
      await until(() => seen === 3, 'the removal is noticed');
    } finally {
      watch.dispose();
    }
  });
});

describe('pinned namespaces', () => {
  it('count for one context or for all, whatever the context is called', () => {
    const arn = 'arn:aws:eks:eu:1:cluster/prod';
    const pinned = ['everywhere', `${arn}/here`, 'dev/there', 'Not valid', 'everywhere'];
    assert.deepEqual(pinnedIn(pinned, arn), ['everywhere', 'here']);
    assert.deepEqual(pinnedIn(pinned, 'dev'), ['everywhere', 'there']);
    assert.deepEqual(pinnedIn(pinned, 'cluster'), ['everywhere']);
  });

  it('are added once, and removed however they were written', () => {
    assert.deepEqual(pin(['a'], 'dev', 'b'), ['a', 'dev/b']);
    assert.deepEqual(pin(['a'], 'dev', 'a'), ['a']);
    assert.deepEqual(unpin(['a', 'dev/b', 'prod/b'], 'dev', 'b'), ['a', 'prod/b']);
    assert.deepEqual(unpin(['a', 'dev/a'], 'dev', 'a'), []);
  });
});

describe('the install command', () => {
  it('names the context, quoted where a shell would take it for something else', () => {
    assert.equal(installCommand('kubectl apply -f x', 'dev'), 'kubectl --context dev apply -f x');
    assert.equal(
      installCommand('kubectl apply -f x', "a b';rm"),
      `kubectl --context 'a b'\\'';rm' apply -f x`,
    );
    assert.equal(installCommand('helm install x', 'dev'), 'helm install x');
    assert.equal(shellWord('$(evil)'), "'$(evil)'");
  });
});
