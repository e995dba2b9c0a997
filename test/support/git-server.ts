/** A real git server over HTTP: git's own http-backend, behind a password. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface GitServer extends AsyncDisposable {
  /** Without a path. */
  readonly origin: string;
  readonly password: string;
  /** Where its repositories are. */
  readonly folder: string;
  /** Method and path of every request that had the password. */
  readonly requests: string[];
  /** A bare repository with these files in one commit on main; its path below the origin. */
  repository(path: string, files: Readonly<Record<string, string>>): Promise<string>;
  /** Runs git in a repository of the server. */
  git(path: string, ...args: string[]): string;
  /** Answers what is no repository's, and comes first; false: it is a repository's. */
  before: (request: IncomingMessage, response: ServerResponse) => boolean;
}

const IDENTITY = ['-c', 'user.name=a', '-c', 'user.email=a@example.com'];

const run = (cwd: string, ...args: string[]): string =>
  execFileSync('git', [...IDENTITY, ...args], { cwd, encoding: 'utf8' }).trim();

export async function gitServer(
  address = '127.0.0.1',
  password = 'a-password-of-the-team',
): Promise<GitServer> {
  const folder = await mkdtemp(join(tmpdir(), 'git-server-'));
  const requests: string[] = [];
  const expected = `Basic ${Buffer.from(`x-access-token:${password}`).toString('base64')}`;
  const server = createServer((request, response) => {
    if (handle.before(request, response)) return;
    if (request.headers.authorization !== expected) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
      return;
    }
    requests.push(`${request.method ?? ''} ${request.url ?? ''}`);
    backend(folder, request, response);
  });
  server.listen(0, address);
  await once(server, 'listening');
  const handle: GitServer = {
    origin: `http://${address}:${(server.address() as AddressInfo).port}`,
    password,
    folder,
    requests,
    before: () => false,
    async repository(path, files) {
      const work = await mkdtemp(join(tmpdir(), 'git-work-'));
      try {
        run(work, 'init', '--quiet', '--initial-branch=main');
        for (const [name, content] of Object.entries(files)) {
          await mkdir(dirname(join(work, name)), { recursive: true });
          await writeFile(join(work, name), content);
        }
        run(work, 'add', '--all');
        run(work, 'commit', '--quiet', '-m', 'first');
        await mkdir(dirname(join(folder, path)), { recursive: true });
        run(folder, 'clone', '--quiet', '--bare', work, path);
        run(join(folder, path), 'config', 'http.receivepack', 'true');
      } finally {
        await rm(work, { recursive: true, force: true });
      }
      return `${handle.origin}/${path}`;
    },
    git: (path, ...args) => run(join(folder, path), ...args),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
  return handle;
}

const EXEC_PATH = spawnSync('git', ['--exec-path'], { encoding: 'utf8' }).stdout.trim();

/** As a web server does: https://git-scm.com/docs/git-http-backend */
function backend(folder: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url ?? '/', 'http://x');
  const { headers } = request;
  const child = spawn(join(EXEC_PATH, 'git-http-backend'), {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: '1',
      REMOTE_USER: 'team',
      PATH_INFO: decodeURIComponent(pathname),
      QUERY_STRING: search.slice(1),
      REQUEST_METHOD: request.method ?? 'GET',
      CONTENT_TYPE: headers['content-type'] ?? '',
      ...(headers['content-length'] === undefined ? {} : { CONTENT_LENGTH: headers['content-length'] }),
      HTTP_CONTENT_ENCODING: headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(headers['git-protocol'] ?? ''),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdin.on('error', () => undefined);
  request.pipe(child.stdin);
  let head = Buffer.alloc(0);
  const onHead = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    child.stdout.off('data', onHead);
    const fields = head
      .subarray(0, end)
      .toString('utf8')
      .split('\r\n')
      .map((line) => line.split(': ', 2) as [string, string]);
    const status = fields.find(([name]) => name === 'Status')?.[1];
    for (const [name, value] of fields) if (name !== 'Status') response.setHeader(name, value);
    response.statusCode = Number.parseInt(status ?? '200', 10);
    response.write(head.subarray(end + 4));
    child.stdout.pipe(response);
  };
  child.stdout.on('data', onHead);
  child.once('close', () => response.end());
}
