/** The built-in cluster: real pods, no meeting of two, and nothing left behind however its owner ends. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { skipBecause } from '../support/skip.ts';
import { cgroupName } from './node.ts';
import { daemonsOf, signal, waitUntil } from './daemons.ts';
import { baseArchive } from './images.ts';
import { clusterCapability, clusterUp } from './index.ts';
import type { Cluster } from './index.ts';
import { run } from './process.ts';
import { networkOf, readState, stateDirOf } from './state.ts';
import { reap } from './teardown.ts';
import { baseImage } from './versions.ts';

const cli = path.join(import.meta.dirname, 'cli.ts');

const restricted = {
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  runAsUser: 1000,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};

/** Namespaced objects as `kubectl apply` takes them. */
function list(...items: readonly object[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}

function pod(name: string, script: string, extra: object = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'strict', labels: { app: name } },
    spec: {
      restartPolicy: 'Never',
      securityContext: { fsGroup: 1000 },
      containers: [
        { name: 'main', image: baseImage, command: ['node', '-e', script], securityContext: restricted },
      ],
      ...extra,
    },
  };
}

async function podEnded(cluster: Cluster, name: string): Promise<{ phase: string; log: string }> {
  const at = ['--namespace', 'strict'];
  const phase = (): Promise<string> =>
    cluster.kubectl([...at, 'get', 'pod', name, '-o', 'jsonpath={.status.phase}']);
  const ended = await waitUntil(async () => ['Succeeded', 'Failed'].includes(await phase()), 60_000, 200);
  assert.ok(ended, `pod ${name} did not end:\n${await cluster.kubectl([...at, 'describe', 'pod', name])}`);
  return { phase: await phase(), log: await cluster.kubectl([...at, 'logs', name]) };
}

interface Trace {
  readonly stateDir: string;
  readonly link: string;
  readonly cgroup: string;
}

async function traceOf(stateDir: string): Promise<Trace> {
  const state = await readState(stateDir);
  assert.ok(state);
  return { stateDir, link: networkOf(state.slot).hostInterface, cgroup: cgroupName(state.slot) };
}

/** Everything that a cluster puts on a machine and that is still there. */
async function leftovers({ stateDir, link, cgroup }: Trace): Promise<string[]> {
  const found = daemonsOf(stateDir).map(({ pid, role }) => `process ${pid} ${role}`);
  if (existsSync(stateDir)) found.push(stateDir);
  if (existsSync(`/sys/class/net/${link}`)) found.push(`interface ${link}`);
  for (const name of await readdir('/sys/fs/cgroup')) {
    for (const folder of [path.join('/sys/fs/cgroup', name, cgroup), path.join('/sys/fs/cgroup', cgroup)]) {
      if (existsSync(folder)) found.push(folder);
    }
  }
  const mounts = await readFile('/proc/self/mounts', 'utf8');
  if (mounts.includes(stateDir)) found.push('mounts');
  // Pods carry no mark, but every process of the node shares its namespaces, and its command lines name the folder.
  for (const pid of (await readdir('/proc')).filter(
    (name) => /^\d+$/.test(name) && Number(name) !== process.pid,
  )) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command.includes(`${stateDir}/`)) found.push(`process ${pid} ${command.replaceAll('\0', ' ')}`);
  }
  return found;
}

/** Starts a process that brings up a cluster with a pod in it, and returns when the pod runs. */
async function ownerProcess(): Promise<{ pid: number; stateDir: string; ended: Promise<unknown> }> {
  const script = path.join(import.meta.dirname, 'owner.fixture.ts');
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith('ready ') && child.pid !== undefined) {
      return { pid: child.pid, stateDir: line.slice('ready '.length), ended };
    }
  }
  throw new Error('the owner ended before its cluster was up');
}

describe('test/cluster', function () {
  this.timeout(300_000);

  before(async function () {
    // The very first start on a machine builds the servers.
    this.timeout(1_800_000);
    const { node } = await clusterCapability();
    if (node !== true) skipBecause(this, node);
    await baseArchive(() => undefined);
    const cluster = await clusterUp({ node: true });
    await cluster.down();
  });

  describe('two clusters at once', () => {
    let one: Cluster;
    let two: Cluster;

    before(async () => {
      const base = await baseArchive(() => undefined);
      [one, two] = await Promise.all([
        clusterUp({ node: true, images: [base] }),
        clusterUp({ node: true, fakeNodes: 2, images: [base] }),
      ]);
      for (const cluster of [one, two]) {
        const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
        const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'strict', labels } };
        await cluster.kubectl(['apply', '-f', '-'], { input: list(namespace) });
      }
    });

    after(async () => {
      await Promise.all([one, two].map((cluster) => cluster.down()));
    });

    it('share no address, port or object', async () => {
      assert.notEqual(one.server, two.server);
      assert.notEqual(one.nodeHostAddress, two.nodeHostAddress);
      const names = async (cluster: Cluster): Promise<string> =>
        cluster.kubectl(['get', 'nodes', '-o', 'jsonpath={.items[*].metadata.name}']);
      assert.equal(await names(one), 'node-1');
      assert.equal(await names(two), 'fake-0 fake-1 node-1');
      await one.kubectl(['create', 'configmap', 'only-here']);
      assert.doesNotMatch(await two.kubectl(['get', 'configmaps']), /only-here/);
    });

    it("refuse each other's credentials", async () => {
      const kubeconfig = JSON.parse(await readFile(one.kubeconfig, 'utf8')) as {
        clusters: { cluster: { server: string } }[];
      };
      const [entry] = kubeconfig.clusters;
      assert.ok(entry);
      entry.cluster.server = two.server;
      const file = path.join(one.stateDir, 'wrong.kubeconfig');
      await writeFile(file, JSON.stringify(kubeconfig));
      const wrong = run(one.kubectlPath, ['--kubeconfig', file, 'get', 'namespaces']);
      await assert.rejects(wrong, /certificate signed by unknown authority/);
    });

    it('run a pod under PodSecurity restricted, and refuse one that asks for more', async () => {
      await one.kubectl(['apply', '-f', '-'], { input: list(pod('hello', 'console.log(process.getuid())')) });
      assert.deepEqual(await podEnded(one, 'hello'), { phase: 'Succeeded', log: '1000\n' });
      const root = pod('root', '', { containers: [{ name: 'main', image: baseImage }] });
      await assert.rejects(
        one.kubectl(['apply', '-f', '-'], { input: list(root) }),
        /violates PodSecurity "restricted/,
      );
    });

    it('resolve Services by name in pods, and lead the host and the API server to them', async () => {
      const serve = `require('http').createServer((q, r) => r.end('served ' + q.url)).listen(8080)`;
      const ask = `
        const ask = async (left) => {
          try { console.log(await (await fetch('http://web.strict.svc/pod')).text()); }
          catch (error) { if (left === 0) throw error; setTimeout(ask, 200, left - 1); }
        };
        ask(100);`;
      const service = {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web', namespace: 'strict' },
        spec: { selector: { app: 'server' }, ports: [{ port: 80, targetPort: 8080 }] },
      };
      await one.kubectl(['apply', '-f', '-'], {
        input: list(service, pod('server', serve), pod('client', ask)),
      });
      assert.deepEqual(await podEnded(one, 'client'), { phase: 'Succeeded', log: 'served /pod\n' });
      const ip = await one.kubectl([
        '--namespace',
        'strict',
        'get',
        'service',
        'web',
        '-o',
        'jsonpath={.spec.clusterIP}',
      ]);
      assert.equal(await (await fetch(`http://${ip}/host`)).text(), 'served /host');
      const proxied = '/api/v1/namespaces/strict/services/web:80/proxy/api';
      assert.equal(await one.kubectl(['get', '--raw', proxied]), 'served /api');
    });

    it('give a claim a volume that a pod without root can write, and a full one says so', async () => {
      await one.addSmallVolume('tiny', 4);
      const claim = (name: string, storageClassName?: string): object => ({
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name, namespace: 'strict' },
        spec: {
          accessModes: ['ReadWriteOnce'],
          resources: { requests: { storage: '1Mi' } },
          ...(storageClassName && { storageClassName }),
        },
      });
      const write = (name: string, claimName: string): object => {
        const script = `
          try { require('fs').writeFileSync('/data/file', Buffer.alloc(8 << 20)); console.log('written'); }
          catch (error) { console.log(error.code); }`;
        return pod(name, script, {
          volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }],
          containers: [
            {
              name: 'main',
              image: baseImage,
              command: ['node', '-e', script],
              securityContext: restricted,
              volumeMounts: [{ name: 'data', mountPath: '/data' }],
            },
          ],
        });
      };
      const input = list(
        claim('plain'),
        claim('small', 'tiny'),
        write('w-plain', 'plain'),
        write('w-small', 'small'),
      );
      await one.kubectl(['apply', '-f', '-'], { input });
      assert.equal((await podEnded(one, 'w-plain')).log, 'written\n');
      assert.equal((await podEnded(one, 'w-small')).log, 'ENOSPC\n');
    });

    it('keep their objects when the API server restarts', async () => {
      await one.kubectl(['create', 'configmap', 'kept']);
      await one.restartApiServer();
      assert.match(await one.kubectl(['get', 'configmaps']), /kept/);
    });

    it('lose every pod with a node that stops, and run new ones when it is back', async () => {
      const wait = pod('long', 'setInterval(() => {}, 1000)');
      await two.kubectl(['apply', '-f', '-'], { input: list(wait) });
      await two.kubectl([
        '--namespace',
        'strict',
        'wait',
        '--for=condition=Ready',
        'pod/long',
        '--timeout=60s',
      ]);
      await two.stopNode();
      assert.deepEqual(
        daemonsOf(two.stateDir)
          .map(({ role }) => role)
          .filter((role) => role === 'kubelet' || role === 'containerd'),
        [],
      );
      await two.startNode();
      await two.kubectl(['apply', '-f', '-'], { input: list(pod('after', 'console.log("back")')) });
      assert.deepEqual(await podEnded(two, 'after'), { phase: 'Succeeded', log: 'back\n' });
      // restartPolicy Never: what ran when the power went does not come back.
      assert.equal(
        (await podEnded(two, 'long').catch((error: unknown) => ({ phase: String(error) }))).phase,
        'Failed',
      );
    });
  });

  it('leaves nothing behind when it is taken down', async () => {
    const cluster = await clusterUp({ node: true });
    const trace = await traceOf(cluster.stateDir);
    assert.notDeepEqual(await leftovers(trace), []);
    await cluster.down();
    assert.deepEqual(await leftovers(trace), []);
  });

  it('leaves nothing behind when the process that owns it is killed', async () => {
    const owner = await ownerProcess();
    const trace = await traceOf(owner.stateDir);
    assert.ok(signal(owner.pid, 'SIGKILL'));
    await owner.ended;
    await waitUntil(async () => (await leftovers(trace)).length === 0, 60_000, 100);
    assert.deepEqual(await leftovers(trace), []);
  });

  it('leaves nothing behind when its start is killed', async () => {
    for (const afterMs of [0, 400, 1500]) {
      const name = `killed-${afterMs}`;
      const stateDir = stateDirOf(name);
      const child = spawn(process.execPath, [cli, 'up', '--name', name], { stdio: 'ignore' });
      const ended = once(child, 'exit');
      assert.ok(await waitUntil(async () => (await readState(stateDir)) !== undefined, 30_000, 1));
      const trace = await traceOf(stateDir);
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      child.kill('SIGKILL');
      await ended;
      // Killed before it had a watchdog: the next one to start a cluster removes it.
      if (afterMs === 0) await reap(() => undefined);
      await waitUntil(async () => (await leftovers(trace)).length === 0, 60_000, 100);
      assert.deepEqual(await leftovers(trace), [], `killed after ${afterMs} ms`);
    }
  });

  it('stays after `up`, which says the same the second time, until `down`', async () => {
    const cluster = (...args: string[]): Promise<string> =>
      run(process.execPath, [cli, ...args, '--name', 'cli-test']);
    const line = await cluster('up', '--nodes', 'fake:3', '--json');
    assert.match(line, /^\{.*\}\n$/);
    const { kubeconfig, kubectl, stateDir } = JSON.parse(line) as Record<
      'kubeconfig' | 'kubectl' | 'stateDir',
      string
    >;
    const trace = await traceOf(stateDir);
    const nodes = await run(kubectl, ['--kubeconfig', kubeconfig, 'get', 'nodes', '-o', 'name']);
    assert.equal(nodes, 'node/fake-0\nnode/fake-1\nnode/fake-2\n');
    assert.equal(await cluster('up', '--json'), line);
    assert.match(await cluster('list'), /^cli-test\tfake:3\tstays\t/m);
    await cluster('down');
    assert.deepEqual(await leftovers(trace), []);
  });

  it('refuses a second cluster of the same name', async () => {
    await using cluster = await clusterUp({});
    await assert.rejects(clusterUp({ name: cluster.name }), /exists already/);
  });
});
