/** A private repository in a real pod: it is cloned with a Secret that the agent's container does not have. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, normalize } from 'node:path';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { applyFrameworks, loadImages } from '../support/deploy.ts';
import { liveApiAvailable, runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { aCommand, endOf, finished, launch, logOf } from '../support/sessions.ts';

const PASSWORD = 'a-password-of-the-team';
const EXPECTED = `Basic ${Buffer.from(`x-access-token:${PASSWORD}`).toString('base64')}`;

describe('a private git repository', function () {
  this.timeout(120_000);
  let cluster: TestCluster;
  let operator: OperatorProcess | undefined;
  let namespace: string;
  let folder: string;
  let server: Server | undefined;
  let origin: string;

  before(async function () {
    this.timeout(300_000);
    cluster = await testCluster(this, { node: true });
    const [runnerImage] = await loadImages(cluster, ['runner'], () => undefined);
    await applyFrameworks(cluster, runnerImage);
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
    operator = await runOperatorProcess(cluster);
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

  it('is told to be out of reach when there is no such Secret', async () => {
    const session = await run('no-such-secret');
    assert.equal(endOf(session), 'Failed/SourceUnavailable', session.status?.message);
    assert.match(session.status?.message ?? '', /Secret no-such-secret.*is not there or is empty/);
  });
});
