import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { stringify } from 'yaml';
import { AmbientError } from '../../../../common/errors.ts';
import { KubeError } from '../../../../common/kube/errors.ts';
import { connectInCluster, loadKubeconfig } from '../../../../common/kube/kubeconfig.ts';
import type { Kubeconfig } from '../../../../common/kube/kubeconfig.ts';

interface Parts {
  clusters?: [string, object?][];
  users?: [string, object?][];
  contexts?: [string, object][];
  current?: string;
}

const yaml = ({ clusters = [], users = [], contexts = [], current }: Parts): string =>
  stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: clusters.map(([name, cluster = { server: `https://${name}:6443` }]) => ({ name, cluster })),
    users: users.map(([name, user = { token: `token-of-${name}` }]) => ({ name, user })),
    contexts: contexts.map(([name, context]) => ({ name, context })),
    'current-context': current,
  });

describe('a kubeconfig', () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'kubeconfig-'));
  });
  afterEach(() => rm(home, { recursive: true, force: true }));

  const write = async (name: string, content: string): Promise<string> => {
    const path = join(home, name);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, content);
    return path;
  };
  const load = (...files: string[]): Promise<Kubeconfig> =>
    loadKubeconfig({ env: { KUBECONFIG: files.join(delimiter) }, homeDir: home });
  const good: Parts = {
    clusters: [['c']],
    users: [['u']],
    contexts: [['good', { cluster: 'c', user: 'u', namespace: 'team-a' }]],
    current: 'good',
  };
  const problems = ({ problems }: Kubeconfig): string => problems.map(({ message }) => message).join('\n');
  const usable = ({ contexts }: Kubeconfig): string[] =>
    contexts.flatMap(({ name, problem }) => (problem === undefined ? [name] : []));

  it('is ~/.kube/config when nothing else is said', async () => {
    const path = await write('.kube/config', yaml(good));
    const config = await loadKubeconfig({ env: {}, homeDir: home });
    assert.equal(config.currentContext, 'good');
    assert.deepEqual(config.contexts, [
      {
        name: 'good',
        cluster: 'c',
        user: 'u',
        namespace: 'team-a',
        isCurrent: true,
        source: path,
        server: 'https://c:6443',
      },
    ]);
    assert.deepEqual(config.problems, []);
    assert.deepEqual(config.files, [path]);
  });

  it('may be absent or empty: then there are no contexts and nothing is wrong', async () => {
    const absent = await loadKubeconfig({ env: {}, homeDir: home });
    assert.deepEqual([absent.contexts, absent.problems, absent.currentContext], [[], [], undefined]);
    const empty = await load(await write('empty', ''));
    assert.deepEqual([empty.contexts, empty.problems], [[], []]);
  });

  it('that was asked for by path must exist', async () => {
    const config = await loadKubeconfig({ env: {}, homeDir: home, path: join(home, 'nowhere') });
    assert.match(problems(config), /nowhere cannot be read/);
  });

  it('may be several files, of which the first to define a name wins', async () => {
    const first = await write('first', yaml({ ...good, users: [['u', { token: 'first' }]] }));
    const second = await write(
      'second',
      yaml({
        clusters: [['c', { server: 'https://other' }], ['d']],
        users: [['u', { token: 'second' }]],
        contexts: [
          ['good', { cluster: 'd', user: 'u' }],
          ['across', { cluster: 'd', user: 'u' }],
        ],
        current: 'across',
      }),
    );
    const config = await load(first, join(home, 'missing'), second, first);
    assert.equal(config.currentContext, 'good');
    assert.deepEqual(
      config.contexts.map(({ name, server, source }) => [name, server, source]),
      [
        ['good', 'https://c:6443', first],
        ['across', 'https://d:6443', second],
      ],
    );
    assert.deepEqual(config.problems, []);
  });

  it('with bad YAML is named with the line, and the other files still count', async () => {
    const bad = await write('bad', 'users:\n  - name: u\n    user: { token: s3cret\n');
    const config = await load(bad, await write('good', yaml(good)));
    assert.deepEqual(usable(config), ['good']);
    const [problem] = config.problems;
    assert.ok(problem instanceof AmbientError);
    assert.equal(problem.code, 'kubeconfig_invalid');
    assert.match(problem.message, new RegExp(`${bad} is not valid YAML: .*line`));
    assert.doesNotMatch(problem.message, /s3cret/);
    assert.equal(problem.cause, undefined, 'a cause would be logged, excerpt and all');
    assert.equal(problem.details.file, bad);
    assert.ok(problem.remedy.length > 0);
  });

  it('of another shape is reported entry by entry', async () => {
    for (const text of ['[]', '"text"', '7']) {
      assert.match(problems(await load(await write('odd', text))), /odd is not a mapping/, text);
    }
    const odd = await write(
      'odd',
      stringify({
        clusters: 'none',
        users: [null, 7, {}, { name: '' }, { name: 'u', user: 'x' }, { name: 'v', user: null }],
        contexts: [{ name: 'empty' }],
      }),
    );
    const config = await load(odd);
    assert.match(problems(config), /clusters in the kubeconfig .*odd is not a list/);
    for (const index of [0, 1, 2, 3, 4]) assert.match(problems(config), new RegExp(`users\\[${index}\\]`));
    assert.doesNotMatch(problems(config), /users\[5\]/);
    assert.match(problems(config), /"empty" in .*odd names no cluster/);
  });

  it('with two users of the same name does not guess whom to be', async () => {
    const path = await write(
      'double',
      yaml({
        clusters: [['c']],
        users: [['u', { token: 'a' }], ['u', { token: 'b' }], ['same'], ['same'], ['v']],
        contexts: [
          ['unclear', { cluster: 'c', user: 'u' }],
          ['clear', { cluster: 'c', user: 'v' }],
          ['repeated', { cluster: 'c', user: 'same' }],
        ],
      }),
    );
    const config = await load(path);
    assert.match(problems(config), /double defines the user "u" more than once/);
    assert.doesNotMatch(problems(config), /"same"/);
    assert.deepEqual(usable(config), ['clear', 'repeated']);
    await assert.rejects(config.connect('unclear'), (error: unknown) => {
      assert.ok(error instanceof AmbientError);
      assert.match(
        error.message,
        /context "unclear" in .*double names the user "u", who is defined more than once/,
      );
      return true;
    });
    await (await config.connect('clear')).close();
  });

  it('says for each context that cannot work why, and leaves the others alone', async () => {
    const path = await write(
      'mixed',
      yaml({
        clusters: [
          ['c'],
          ['noserver', {}],
          ['ftp', { server: 'ftp://x' }],
          ['socks4', { server: 'https://x', 'proxy-url': 'socks4://p' }],
        ],
        users: [['u']],
        contexts: [
          ['lost cluster', { cluster: 'gone', user: 'u' }],
          ['lost user', { cluster: 'c', user: 'gone' }],
          ['no server', { cluster: 'noserver', user: 'u' }],
          ['not http', { cluster: 'ftp', user: 'u' }],
          ['bad proxy', { cluster: 'socks4', user: 'u' }],
          ['anonymous', { cluster: 'c' }],
          ['good', { cluster: 'c', user: 'u' }],
        ],
        current: 'gone too',
      }),
    );
    const config = await load(path);
    assert.deepEqual(usable(config), ['anonymous', 'good']);
    const text = problems(config);
    assert.match(text, /"lost cluster" in .*mixed names the cluster "gone", which is not defined/);
    assert.match(text, /"lost user" in .*mixed names the user "gone", who is not defined/);
    assert.match(text, /"no server" .* whose server is not an http\(s\) address/);
    assert.match(text, /"not http" .* whose server is not an http\(s\) address/);
    assert.match(text, /"bad proxy" .*socks4:\/\/p.* must be an http, https or socks5 URL/);
    await assert.rejects(config.connect('nowhere'), /no context "nowhere"; it has lost cluster, /);
    assert.ok(config.contexts.every(({ isCurrent }) => !isCurrent));
  });

  it('whose certificates cannot be read says which', async () => {
    const connect = async (cluster: object, user: object): Promise<unknown> =>
      (
        await load(
          await write(
            'k',
            yaml({
              clusters: [['c', { server: 'https://c', ...cluster }]],
              users: [['u', user]],
              contexts: [['x', { cluster: 'c', user: 'u' }]],
            }),
          ),
        )
      ).connect('x');
    const says = (text: RegExp) => (error: unknown) =>
      error instanceof KubeError && error.reason === 'CredentialsFailed' && text.test(error.message);
    await assert.rejects(
      connect({ 'certificate-authority': 'ca.pem' }, {}),
      says(/^certificate-authority in .*\/k cannot be read: .*ca\.pem/),
    );
    await assert.rejects(connect({ 'certificate-authority-data': 'bm8=' }, {}), says(/is not PEM/));
    await assert.rejects(connect({}, { 'client-certificate': 'c.pem' }), says(/^client-certificate in/));
    await assert.rejects(
      connect({}, { 'auth-provider': { name: 'gcp' } }),
      says(/auth-provider "gcp", which Kubernetes has removed/),
    );
  });

  it('that points at a dead server fails at the first request, and says so', async () => {
    const path = await write('dead', yaml({ ...good, clusters: [['c', { server: 'https://127.0.0.1:1' }]] }));
    await using connection = await (await load(path)).connect('good');
    await assert.rejects(connection.json('/version'), (error: unknown) => {
      assert.ok(error instanceof KubeError);
      assert.equal(error.reason, 'Unreachable');
      assert.match(error.message, /https:\/\/127\.0\.0\.1:1 cannot be reached: .*ECONNREFUSED/);
      assert.match(error.remedy, /cluster runs/);
      return true;
    });
  });
});

describe('a pod’s own cluster', () => {
  it('is not there outside a pod', async () => {
    await assert.rejects(connectInCluster({ env: {} }), /not in a pod/);
    await assert.rejects(
      connectInCluster({
        env: { KUBERNETES_SERVICE_HOST: 'h', KUBERNETES_SERVICE_PORT: '1' },
        directory: '/nonexistent',
      }),
      /no service account is mounted at/,
    );
  });
});
