/** Ways to the API server and ways to be let in, tried on a real one. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { getEventListeners } from 'node:events';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect as connectTcp, createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { KubeClient } from '../../../common/kube/client.ts';
import { Connection } from '../../../common/kube/connection.ts';
import { isForbidden, isUnauthorized, KubeError } from '../../../common/kube/errors.ts';
import { connectInCluster, loadKubeconfig } from '../../../common/kube/kubeconfig.ts';
import { configMaps, resourcePath, serviceAccounts } from '../../../common/kube/resource.ts';
import { writeCertificates } from '../../cluster/certificates.ts';
import { testCluster } from '../../support/cluster.ts';
import type { TestCluster } from '../../support/cluster.ts';
import { assertRejectsWith, eventually } from './eventually.ts';
import { FaultProxy } from './fault-proxy.ts';

type Fields = Record<string, unknown>;

describe('a connection', function () {
  this.timeout(60_000);
  let cluster: TestCluster;
  let namespace: string;
  let directory: string;
  let admin: { cluster: Fields; user: Fields };

  before(async function () {
    this.timeout(600_000);
    cluster = await testCluster(this);
    namespace = await cluster.namespace('connection');
    const config = parse(await readFile(cluster.kubeconfig, 'utf8')) as {
      clusters: [{ cluster: Fields }];
      users: [{ user: Fields }];
    };
    admin = { cluster: config.clusters[0].cluster, user: config.users[0].user };
    await cluster.kubectl(['create', 'serviceaccount', 'viewer', '-n', namespace]);
    await cluster.kubectl([
      'create',
      'rolebinding',
      'viewer',
      '-n',
      namespace,
      '--clusterrole=view',
      `--serviceaccount=${namespace}:viewer`,
    ]);
  });
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'connection-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const file = (name: string): string => join(directory, name);
  /** Connects by a kubeconfig that differs in some fields from the administrator's. */
  async function connect(differing: { cluster?: Fields; user?: Fields }): Promise<Connection> {
    const text = stringify({
      clusters: [{ name: 'c', cluster: { ...admin.cluster, ...differing.cluster } }],
      users: [{ name: 'u', user: differing.user ?? admin.user }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    });
    await writeFile(file('config'), text);
    const config = await loadKubeconfig({ env: process.env, homeDir: directory, path: file('config') });
    return config.connect('x', { execTimeoutMs: 5_000 });
  }
  const whoAmI = async (connection: Connection): Promise<string> => {
    const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
    const review = await connection.json<{ status: { userInfo: { username: string } } }>(path, {
      method: 'POST',
      body,
    });
    return review.status.userInfo.username;
  };
  async function viewerToken(): Promise<string> {
    const path = resourcePath(serviceAccounts, { namespace, name: 'viewer', subresource: 'token' });
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
    return (
      await cluster.client.connection.json<{ status: { token: string } }>(path, { method: 'POST', body })
    ).status.token;
  }
  const viewer = (): string => `system:serviceaccount:${namespace}:viewer`;
  const pem = (field: unknown): Buffer => Buffer.from(String(field), 'base64');

  describe('is trusted', () => {
    it('by certificates in files beside the kubeconfig', async () => {
      await writeFile(file('ca.pem'), pem(admin.cluster['certificate-authority-data']));
      await writeFile(file('cert.pem'), pem(admin.user['client-certificate-data']));
      await writeFile(file('key.pem'), pem(admin.user['client-key-data']));
      await using connection = await connect({
        cluster: { 'certificate-authority-data': undefined, 'certificate-authority': 'ca.pem' },
        user: { 'client-certificate': 'cert.pem', 'client-key': file('key.pem') },
      });
      assert.equal(await whoAmI(connection), await whoAmI(cluster.client.connection));
    });

    it('only with the right authority, unless told not to look', async () => {
      await using distrusting = await connect({ cluster: { 'certificate-authority-data': undefined } });
      await assert.rejects(distrusting.json('/version'), (error: unknown) => {
        assert.ok(error instanceof KubeError);
        assert.equal(error.reason, 'TlsError');
        assert.match(error.remedy, /certificate-authority/);
        return true;
      });
      await using careless = await connect({
        cluster: { 'certificate-authority-data': undefined, 'insecure-skip-tls-verify': true },
      });
      assert.ok(await whoAmI(careless));
    });

    it('under the name that tls-server-name says', async () => {
      await using right = await connect({ cluster: { 'tls-server-name': 'kubernetes.default.svc' } });
      assert.ok(await whoAmI(right));
      await using wrong = await connect({ cluster: { 'tls-server-name': 'elsewhere.example' } });
      await assert.rejects(wrong.json('/version'), assertRejectsWith('TlsError'));
    });
  });

  describe('is let in', () => {
    it('by a token, and may do what its owner may', async () => {
      await using connection = await connect({ user: { token: await viewerToken() } });
      assert.equal(await whoAmI(connection), viewer());
      const client = new KubeClient(connection);
      await client.list(configMaps, { namespace });
      await assert.rejects(client.list(configMaps), (error: unknown) => isForbidden(error));
      await using nonsense = await connect({ user: { token: 'nonsense' } });
      await assert.rejects(whoAmI(nonsense), (error: unknown) => isUnauthorized(error));
    });

    it('by a token file, which is read again when the server refuses what was in it', async () => {
      await writeFile(file('token'), 'stale');
      await using connection = await connect({ user: { tokenFile: 'token' } });
      await assert.rejects(whoAmI(connection), (error: unknown) => isUnauthorized(error));
      await writeFile(file('token.new'), `${await viewerToken()}\n`);
      await rename(file('token.new'), file('token'));
      const before = connection.requests;
      assert.equal(await whoAmI(connection), viewer());
      assert.ok(connection.requests - before <= 2);
    });

    it('as a pod, by the files mounted into it', async () => {
      await writeFile(file('token'), await viewerToken());
      await writeFile(file('ca.crt'), pem(admin.cluster['certificate-authority-data']));
      const { hostname, port } = new URL(cluster.server);
      const env = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
      await using connection = await connectInCluster({ env, directory });
      assert.equal(await whoAmI(connection), viewer());
      assert.equal(connection.cluster, 'in-cluster');
    });

    it('by a credential plugin, which is asked again once when the server refuses its token', async () => {
      const script = `#!${process.execPath}
        const fs = require('fs');
        fs.appendFileSync('${file('runs')}', 'x');
        const first = fs.readFileSync('${file('runs')}').length === 1;
        const token = first ? 'revoked' : '${await viewerToken()}';
        console.log(JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status: { token } }));`;
      await writeFile(file('plugin.cjs'), script, { mode: 0o755 });
      // Relative to the kubeconfig, wherever this process stands.
      const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: './plugin.cjs' };
      await using connection = await connect({ user: { exec } });
      const all = await Promise.all(Array.from({ length: 5 }, () => whoAmI(connection)));
      assert.deepEqual(new Set(all), new Set([viewer()]));
      assert.equal((await readFile(file('runs'))).length, 2);
    });

    it('by a credential plugin that gives a client certificate, renewed when refused', async () => {
      // The first run gives a certificate of an authority that the server does not know.
      await writeCertificates(file('stranger'), [], 'node', new Date());
      await writeFile(file('cert.pem'), pem(admin.user['client-certificate-data']));
      await writeFile(file('key.pem'), pem(admin.user['client-key-data']));
      const script = `const fs = require('fs');
        fs.appendFileSync('${file('runs')}', 'x');
        const isFirst = fs.readFileSync('${file('runs')}').length === 1;
        const read = (stranger, own) => fs.readFileSync('${directory}/' + (isFirst ? stranger : own), 'utf8');
        const status = { clientCertificateData: read('stranger/admin.crt', 'cert.pem'), clientKeyData: read('stranger/admin.key', 'key.pem') };
        console.log(JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status }));`;
      await writeFile(file('plugin.cjs'), script);
      const exec = {
        apiVersion: 'client.authentication.k8s.io/v1',
        command: process.execPath,
        args: [file('plugin.cjs')],
      };
      await using connection = await connect({ user: { exec } });
      assert.equal(await whoAmI(connection), await whoAmI(cluster.client.connection));
      assert.equal((await readFile(file('runs'))).length, 2);
    });

    it('not by a credential plugin that hangs, and says so in time, without stopping anything else', async () => {
      const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'sleep', args: ['600'] };
      const text = stringify({
        clusters: [{ name: 'c', cluster: admin.cluster }],
        users: [{ name: 'u', user: { exec } }],
        contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      });
      await writeFile(file('config'), text);
      const config = await loadKubeconfig({ env: process.env, homeDir: directory, path: file('config') });
      await using connection = await config.connect('x', { execTimeoutMs: 500 });
      let ticks = 0;
      const timer = setInterval(() => (ticks += 1), 20);
      await assert.rejects(connection.json('/version'), assertRejectsWith('CredentialsFailed'));
      clearInterval(timer);
      assert.ok(ticks >= 10, `the event loop turned ${ticks} times`);
    });

    it('as somebody else, where impersonation is allowed', async () => {
      await using connection = await connect({
        user: { ...admin.user, as: 'jane', 'as-groups': ['a', 'b'] },
      });
      assert.equal(await whoAmI(connection), 'jane');
    });
  });

  describe('goes', () => {
    it('through an HTTP proxy', async () => {
      const tunnels: string[] = [];
      const proxy = createServer();
      proxy.on('connect', (request, socket: Socket, head: Buffer) => {
        tunnels.push(request.url ?? '');
        const [host, port] = (request.url ?? '').split(':');
        const upstream = connectTcp(Number(port), host, () => {
          socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
          upstream.write(head);
          upstream.pipe(socket).pipe(upstream);
        });
        upstream.on('error', () => socket.destroy());
        socket.on('error', () => upstream.destroy());
      });
      await listen(proxy);
      try {
        const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
        await using connection = await connect({ cluster: { 'proxy-url': url } });
        assert.equal(await whoAmI(connection), await whoAmI(cluster.client.connection));
        assert.equal(tunnels[0], new URL(cluster.server).host);
        await using named = await connect({
          cluster: { 'proxy-url': url, 'tls-server-name': 'kubernetes.default.svc' },
        });
        assert.ok(await whoAmI(named));
        await using misnamed = await connect({
          cluster: { 'proxy-url': url, 'tls-server-name': 'elsewhere.example' },
        });
        await assert.rejects(whoAmI(misnamed), assertRejectsWith('TlsError'));
      } finally {
        proxy.close();
      }
    });

    it('through a SOCKS5 proxy', async () => {
      const proxy = socks5();
      await listen(proxy);
      try {
        const { port } = proxy.address() as AddressInfo;
        for (const scheme of ['socks5', 'socks5h']) {
          await using connection = await connect({
            cluster: { 'proxy-url': `${scheme}://127.0.0.1:${port}` },
          });
          assert.equal(await whoAmI(connection), await whoAmI(cluster.client.connection));
        }
      } finally {
        proxy.close();
      }
    });

    it('nowhere when the proxy is dead, and says so', async () => {
      await using connection = await connect({ cluster: { 'proxy-url': 'http://127.0.0.1:1' } });
      await assert.rejects(connection.json('/version'), assertRejectsWith('Unreachable'));
    });
  });

  describe('with faults between', () => {
    let proxy: FaultProxy;
    let connection: Connection;
    beforeEach(async () => {
      proxy = await FaultProxy.start(cluster.kubeconfig);
      connection = new Connection({ cluster: 'faulty', credentials: { server: proxy.url, tls: {} } });
    });
    afterEach(async () => {
      await connection.close();
      await proxy[Symbol.asyncDispose]();
    });

    it('repeats a read whose connection was dropped, but never a write', async () => {
      await connection.json('/version');
      let drops = 1;
      proxy.fault = () => (drops-- > 0 ? { drop: true } : undefined);
      await connection.json('/version');
      drops = 1;
      const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'never', namespace } };
      const write = connection.json(resourcePath(configMaps, { namespace }), { method: 'POST', body });
      await assert.rejects(write, assertRejectsWith('Unreachable'));
      assert.equal(
        proxy.count('POST', () => true),
        1,
      );
      drops = 2;
      await assert.rejects(connection.json('/version'), assertRejectsWith('Unreachable'));
    });

    it('waits for a busy server as long as that says, also with a write', async () => {
      const at: number[] = [];
      proxy.fault = () => {
        at.push(performance.now());
        return at.length < 3
          ? { answer: { status: 429, body: '', headers: { 'retry-after': '1' } } }
          : undefined;
      };
      const path = resourcePath(configMaps, { namespace, query: { dryRun: 'All' } });
      await connection.json(path, { method: 'POST', body: { metadata: { name: 'patient', namespace } } });
      assert.equal(at.length, 3);
      assert.ok((at[2] ?? 0) - (at[0] ?? 0) >= 1_990);
      proxy.fault = () => ({ answer: { status: 429, body: '', headers: { 'retry-after': '600' } } });
      await assert.rejects(connection.json('/version'), (error: unknown) => {
        assert.ok(error instanceof KubeError);
        assert.equal(error.code, 'too_many_requests');
        assert.equal(error.retryAfterSeconds, 600);
        return true;
      });
      proxy.fault = () => ({ answer: { status: 429, body: '', headers: { 'retry-after': '5' } } });
      const signal = AbortSignal.timeout(100);
      const from = performance.now();
      await assert.rejects(connection.json('/version', { signal }));
      assert.ok(performance.now() - from < 2_000);
    });

    it('leaves nothing behind on the signals it was given', async () => {
      const { signal } = new AbortController();
      for (let i = 0; i < 50; i++) await connection.json('/version', { signal });
      await eventually(() => assert.equal(getEventListeners(signal, 'abort').length, 0));
    });

    it('gives up on an answer that does not come, or stops coming, in time', async () => {
      const never = Promise.withResolvers<undefined>();
      proxy.fault = () => never.promise;
      await assert.rejects(connection.json('/version', { timeoutMs: 200 }), assertRejectsWith('Timeout'));
      proxy.fault = () => ({ piece: () => 'stall' });
      await assert.rejects(connection.json('/version', { timeoutMs: 200 }), assertRejectsWith('Timeout'));
      never.resolve(undefined);
    });

    it('ends when its caller says so, before and during the answer', async () => {
      const reason = new Error('no longer wanted');
      await assert.rejects(connection.json('/version', { signal: AbortSignal.abort(reason) }), reason);
      const controller = new AbortController();
      const never = Promise.withResolvers<undefined>();
      proxy.fault = () => never.promise;
      const asked = connection.json('/version', { signal: controller.signal });
      controller.abort(reason);
      await assert.rejects(asked, reason);
      never.resolve(undefined);
    });

    it('explains an answer that is not from an API server', async () => {
      proxy.fault = () => ({ answer: { status: 200, body: '<html>sign in</html>' } });
      await assert.rejects(connection.json('/version'), assertRejectsWith('NotJson'));
      proxy.fault = () => ({ answer: { status: 403, body: '<html>blocked by policy</html>' } });
      await assert.rejects(connection.json('/version'), /answered with status 403: <html>blocked by policy/);
    });

    it('keeps many streams and still answers calls', async () => {
      const path = `${resourcePath(configMaps, { namespace })}?watch=1`;
      const streams = await Promise.all(Array.from({ length: 100 }, () => connection.stream(path)));
      await Promise.all(Array.from({ length: 100 }, () => connection.json('/version')));
      for (const { body } of streams) body.destroy();
    });

    it('sends and receives streams', async () => {
      const text = JSON.stringify({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: `s-${randomBytes(4).toString('hex')}`, namespace },
        data: { long: 'x'.repeat(300_000) },
      });
      const pieces = Readable.from(
        [text.slice(0, 100_000), text.slice(100_000)].map((each) => Buffer.from(each)),
      );
      const { status, body } = await connection.stream(resourcePath(configMaps, { namespace }), {
        method: 'POST',
        body: pieces,
        contentType: 'application/json',
      });
      assert.equal(status, 201);
      let bytes = 0;
      for await (const piece of body as AsyncIterable<Buffer>) bytes += piece.length;
      assert.ok(bytes > 300_000);
    });

    it('ends everything when closed', async () => {
      const { body } = await connection.stream(`${resourcePath(configMaps, { namespace })}?watch=1`);
      const ended = assert.rejects(async () => {
        for await (const _ of body);
      });
      const never = Promise.withResolvers<undefined>();
      proxy.fault = () => never.promise;
      const pending = assert.rejects(connection.json('/version'), assertRejectsWith('Closed'));
      await eventually(() =>
        assert.equal(
          proxy.count('GET', ({ pathname }) => pathname === '/version'),
          1,
        ),
      );
      await connection.close();
      await Promise.all([ended, pending]);
      await assert.rejects(connection.json('/version'), assertRejectsWith('Closed'));
      never.resolve(undefined);
      await sleep(0);
    });
  });
});

const listen = (server: Server): Promise<void> =>
  new Promise((resolve) => void server.listen(0, '127.0.0.1', () => resolve()));

/** RFC 1928 as far as CONNECT without authentication. */
function socks5(): Server {
  return createTcpServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => {
      socket.write(Buffer.from([5, 0]));
      socket.once('data', (request: Buffer) => {
        const isName = request[3] === 3;
        const length = isName ? (request[4] ?? 0) : 4;
        const start = isName ? 5 : 4;
        const address = request.subarray(start, start + length);
        const host = isName ? address.toString() : address.join('.');
        const upstream = connectTcp(request.readUInt16BE(start + length), host, () => {
          socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
          upstream.pipe(socket).pipe(upstream);
        });
        upstream.on('error', () => socket.destroy());
      });
    });
  });
}
