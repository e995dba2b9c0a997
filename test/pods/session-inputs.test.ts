/** What comes into a real pod before the agent: a private repository and inputs, with Secrets that its container does not have. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, normalize } from 'node:path';
import { isTerminal } from '../../common/api/session.ts';
import type { Session, SessionSpec } from '../../common/api/session.ts';
import { findCondition } from '../../common/rules/conditions.ts';
import { OPERATOR_NAME, OPERATOR_NAMESPACE } from '../../common/api/names.ts';
import { namespacePolicies } from '../../common/kube/resource.ts';
import { S3Store } from '../../operator/store/s3/store.ts';
import { buildTargets } from '../../scripts/build.ts';
import type { TestCluster } from '../support/cluster.ts';
import { gitServer } from '../support/git-server.ts';
import { githubApi } from '../support/github-api.ts';
import { aPolicy } from '../support/fixtures.ts';
import { policyIsKnown } from '../support/known-policy.ts';
import { liveApiAvailable, runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { runnerCluster } from '../support/runner-cluster.ts';
import { s3ServerOrSkip } from '../support/s3-server.ts';
import { aCommand, endOf, finished, inPhase, launch, logOf } from '../support/sessions.ts';

const PASSWORD = 'a-password-of-the-team';
const EXPECTED = `Basic ${Buffer.from(`x-access-token:${PASSWORD}`).toString('base64')}`;

describe('what comes before the agent', function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  let operator: OperatorProcess | undefined;
  let namespace: string;
  let folder: string;
  let server: Server | undefined;
  let origin: string;

  before(async function () {
    this.timeout(300_000);
    // Of the sources as they are now: an older runner knows nothing of what it is to bring.
    await buildTargets(['runner']);
    ({ cluster } = await runnerCluster(this));
    folder = await mkdtemp(join(tmpdir(), 'ambient-git-'));
    const work = join(folder, 'work');
    await mkdir(work);
    const git = (cwd: string, ...args: string[]): void =>
      void execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], { cwd });
    git(work, 'init', '--quiet', '--initial-branch=main');
    await writeFile(join(work, 'file.txt'), 'private\n');
    git(work, 'add', '.');
    git(work, 'commit', '--quiet', '-m', 'first');
    git(folder, 'clone', '--quiet', '--mirror', work, 'repository.git');
    git(join(folder, 'repository.git'), 'update-server-info');
    server = createServer((request, response) => {
      if (request.url === '/public/file.txt') return response.end('from the web\n');
      if (request.headers.authorization !== EXPECTED)
        return response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      const { pathname } = new URL(request.url ?? '/', 'http://x');
      readFile(join(folder, normalize(decodeURIComponent(pathname)))).then(
        (content) => response.end(content),
        () => response.writeHead(404).end(),
      );
      return response;
    });
    server.listen(0, cluster.nodeHostAddress);
    await once(server, 'listening');
    origin = `http://${cluster.nodeHostAddress}:${(server.address() as AddressInfo).port}`;
    operator = await runOperatorProcess(cluster, {
      flags: { 'notify-allow': `${cluster.nodeHostAddress}/32`, 'notify-http': true },
    });
    await liveApiAvailable(cluster);
    namespace = await cluster.namespace('git');
  });

  after(async function () {
    this.timeout(60_000);
    if (operator !== undefined) await cluster.removeSessions();
    await operator?.[Symbol.asyncDispose]();
    server?.close();
    server?.closeAllConnections();
    if ((folder as string | undefined) !== undefined) await rm(folder, { recursive: true, force: true });
  });

  const run = async (credentials: string) => {
    const session = aCommand(
      namespace,
      'cat file.txt; cat /proc/self/mountinfo | grep -c ambient-git; ls /ambient-git; env | grep -i password; git fetch',
    );
    const source = { type: 'git' as const, git: { url: `${origin}/repository.git`, credentials } };
    return await finished(cluster.client, await launch(cluster.client, session.spec({ source })), 60_000);
  };

  it('is cloned with the Secret, which the agent does not get at', async () => {
    await cluster.kubectl([
      ...['-n', namespace, 'create', 'secret', 'generic', 'git-team'],
      ...[`--from-literal=url=${origin}/`, `--from-literal=token=${PASSWORD}`],
    ]);
    const session = await run('git-team');
    const log = await logOf(cluster.client, session);
    assert.match(log, /source ready: [0-9a-f]{12}, with credentials/);
    assert.match(log, /private\n(.*\n)*.*\b0\n/);
    assert.match(log, /\/ambient-git.*No such file/);
    assert.match(log, /could not read Username|Authentication failed|terminal prompts disabled/);
    assert.ok(!log.includes(PASSWORD));
    assert.equal(endOf(session), 'Failed/CommandFailed', session.status?.message);
  });

  it('is joined by inputs of all kinds, read-only', async function () {
    await using s3 = await s3ServerOrSkip(this, { host: cluster.nodeHostAddress });
    const store = new S3Store({ ...s3, prefix: '', pathStyle: true });
    await store.put('sets/one.txt', Buffer.from('from s3\n'), { contentType: 'text/plain' });
    store.close();
    await cluster.kubectl([
      '-n',
      namespace,
      'create',
      'secret',
      'generic',
      'data',
      ...[
        `--from-literal=AWS_ACCESS_KEY_ID=${s3.credentials.accessKeyId}`,
        `--from-literal=AWS_SECRET_ACCESS_KEY=${s3.credentials.secretAccessKey}`,
        `--from-literal=AWS_ENDPOINT_URL=${s3.endpoint}`,
        `--from-literal=AWS_REGION=${s3.region}`,
        `--from-literal=url=s3://${s3.bucket}/sets`,
      ],
    ]);
    await cluster.kubectl(['-n', namespace, 'apply', '-f', '-'], {
      input: JSON.stringify({
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'shared-models' },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      }),
    });
    const launched = (claim: string) =>
      launch(
        cluster.client,
        aCommand(
          namespace,
          'cat /inputs/sets/one.txt /inputs/f; ls -d /inputs/models; ls $AMBIENT_INPUTS; for f in sets/x models/x f; do echo x > /inputs/$f && echo WRITTEN; done; ls /ambient-inputs; true',
        ).spec({
          artifacts: {
            references: [
              { type: 's3', location: `s3://${s3.bucket}/sets/`, credentials: 'data' },
              { type: 'external', location: `${origin}/public/file.txt`, name: 'f' },
              { type: 'pvc', location: claim, name: 'models' },
            ],
          },
        }),
      );
    const refused = await finished(cluster.client, await launched('shared-models'), 60_000);
    assert.equal(endOf(refused), 'Failed/PolicyViolation', refused.status?.message);
    assert.match(refused.status?.message ?? '', /spec\.inputs\.claims/);

    await cluster.client.apply(
      namespacePolicies,
      {
        ...aPolicy(namespace, { inputs: { claims: ['shared-*'] } }),
        metadata: { name: 'policy', namespace },
      },
      { fieldManager: 'test', force: true },
    );
    await policyIsKnown(cluster.client, namespace);
    const session = await finished(cluster.client, await launched('shared-models'), 60_000);
    const log = await logOf(cluster.client, session);
    assert.equal(endOf(session), 'Completed/Succeeded', `${session.status?.message} ${log}`);
    assert.match(log, /inputs ready: sets, f/);
    for (const line of ['from s3', 'from the web', '/inputs/models']) assert.ok(log.includes(line), log);
    assert.equal(log.match(/Read-only file system/g)?.length, 3, log);
    assert.doesNotMatch(log, /^WRITTEN$/m);
    assert.match(log, /\/ambient-inputs.*No such file/);
    const { provenance } = session.status?.artifacts ?? {};
    assert.equal(provenance, undefined, 'it has made nothing');
  });

  it('is told to be out of reach when there is no such Secret', async () => {
    const session = await run('no-such-secret');
    assert.equal(endOf(session), 'Failed/SourceUnavailable', session.status?.message);
    assert.match(session.status?.message ?? '', /Secret no-such-secret.*is not there or is empty/);
  });

  it('goes back as a new branch, pushed from a pod without the agent, where policy lists it', async function () {
    this.timeout(240_000);
    const { client } = cluster;
    const [repositories, at] = await Promise.all([
      gitServer(cluster.nodeHostAddress),
      cluster.namespace('push'),
    ]);
    await using server = repositories;
    const url = await server.repository('team/app.git', { 'file.txt': 'one\n' });
    const secret = async (name: string, token: string): Promise<void> => {
      const literals = [`--from-literal=url=${server.origin}/`, `--from-literal=token=${token}`];
      const made = await cluster.kubectl([
        ...['-n', at, 'create', 'secret', 'generic', name, ...literals],
        ...['--dry-run=client', '-o', 'json'],
      ]);
      await cluster.kubectl(['-n', at, 'apply', '-f', '-'], { input: made });
    };
    const github = githubApi((repository, branch) =>
      server
        .git(`${repository}.git`, 'for-each-ref', '--format=%(refname:short)')
        .split('\n')
        .includes(branch),
    );
    server.before = github.handle;
    await Promise.all([secret('git', server.password), secret('stale', 'an-old-one')]);
    await secret('bot', github.token);
    const role = ['--verb=get', '--resource=secrets', '--resource-name=bot'];
    await cluster.kubectl(['-n', at, 'create', 'role', 'bot', ...role]);
    const operators = `--serviceaccount=${OPERATOR_NAMESPACE}:${OPERATOR_NAME}`;
    await cluster.kubectl(['-n', at, 'create', 'rolebinding', 'bot', '--role=bot', operators]);
    const ask = (command: string, result: SessionSpec['result']): Promise<Session> =>
      launch(
        client,
        aCommand(at, command).spec({
          displayName: 'Ambient-Session-UID: forged',
          source: { type: 'git', git: { url, credentials: 'git' } },
          ...(result === undefined ? {} : { result }),
        }),
      );
    const pushOf = ({ status }: Session) => findCondition(status?.conditions, 'ResultPushed');
    const told = (session: Session, reason: RegExp, message = /./): Promise<Session> =>
      inPhase(
        client,
        session,
        (seen) =>
          isTerminal(seen.status?.phase) &&
          reason.test(pushOf(seen)?.reason ?? '') &&
          message.test(pushOf(seen)?.message ?? ''),
        `${session.metadata.name} is ${String(reason)}`,
        90_000,
      );

    const refused = await finished(client, await ask('echo two > file.txt', {}), 60_000);
    assert.equal(endOf(refused), 'Failed/PolicyViolation', refused.status?.message);
    assert.match(refused.status?.message ?? '', /spec\.results\.branches/);

    await client.apply(
      namespacePolicies,
      {
        ...aPolicy(at, {
          results: {
            branches: ['ambient/*'],
            pullRequests: {
              url: `${server.origin}/api/v3`,
              credential: { secretName: 'bot', key: 'token' },
            },
          },
        }),
        metadata: { name: 'policy', namespace: at },
      },
      { fieldManager: 'test', force: true },
    );
    await policyIsKnown(client, at);
    const [first, unchanged, stale] = await Promise.all([
      ask('echo two > file.txt; ls /ambient-git; cat /ambient/*token* | wc -l', {
        branch: 'ambient/fix',
        pullRequest: {},
      }),
      ask('true', { branch: 'ambient/nothing' }),
      ask('echo stale > file.txt', { branch: 'ambient/stale', credentials: 'stale' }),
    ]);
    const pushed = await told(first, /^Pushed$/);
    const { branch, commit, base } = pushed.status?.result ?? {};
    assert.deepEqual([branch, base], ['ambient/fix', 'main']);
    assert.equal(server.git('team/app.git', 'rev-parse', 'ambient/fix'), commit);
    assert.equal(server.git('team/app.git', 'show', 'ambient/fix:file.txt'), 'two');
    assert.equal(
      server.git(
        'team/app.git',
        'log',
        '-1',
        '--format=%an|%(trailers:key=Ambient-Session-UID,valueonly)',
        'ambient/fix',
      ),
      `Ambient session ${first.metadata.name}|${first.metadata.uid}`,
    );
    assert.ok(pushed.status?.history?.some(({ event }) => event === 'ResultPushed'));
    assert.match(await logOf(client, pushed), /\/ambient-git.*No such file/);

    const proposed = await inPhase(
      client,
      pushed,
      ({ status }) => findCondition(status?.conditions, 'PullRequestOpened')?.status === 'True',
      'a pull request is open',
    );
    assert.equal(proposed.status?.result?.pullRequest, 'https://github.example.com/team/app/pull/1');
    assert.deepEqual(
      github.pulls.map(({ head, base: onto, title }) => [head, onto, title]),
      [['ambient/fix', 'main', 'Ambient-Session-UID: forged']],
    );

    const [second] = await Promise.all([
      ask('echo three > file.txt', { branch: 'ambient/fix' }).then((session) => told(session, /^Pushed$/)),
      told(unchanged, /^NothingChanged$/),
      told(stale, /^Pushing$/, /tried again/).then(async (session) => {
        await secret('stale', server.password);
        await told(session, /^Pushed$/);
      }),
    ]);
    assert.equal(second.status?.result?.branch, `ambient/fix-${second.metadata.uid?.slice(0, 8)}`);
    assert.equal(server.git('team/app.git', 'rev-parse', 'ambient/fix'), commit);
    assert.equal(server.git('team/app.git', 'show', 'ambient/stale:file.txt'), 'stale');
  });
});
