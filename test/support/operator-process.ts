/** The operator as a process on this machine, with exactly the rights that its manifests give it. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile, mkdir } from 'node:fs/promises';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parse, parseAllDocuments } from 'yaml';
import { OPERATOR_NAME, OPERATOR_NAMESPACE } from '../../common/api/names.ts';
import type { RequestCount } from '../../common/kube/connection.ts';
import { buildTargets } from '../../scripts/build.ts';
import type { Cluster } from '../cluster/index.ts';
import { admissionAnswers, applyAdmission } from './admission.ts';
import { operatorManifests } from './deploy.ts';
import { freePorts } from './free-ports.ts';
import { addHostEndpoint, useHostService } from './host-service.ts';
import { until } from './until.ts';

const root = join(import.meta.dirname, '..', '..');

export interface OperatorProcessOptions {
  /** Flags of operator/config.ts without dashes, for example { 'stop-slack-seconds': 1 }. */
  flags?: Record<string, string | number | boolean>;
  /** Kept by the caller, so that another process can go on with it. Default: a folder that goes with the process. */
  storeDir?: string;
  /** The same as an earlier process had: runners go on to report there. Default: free ones. */
  ports?: OperatorPorts;
  /** Where it finds the API server; default the cluster's own address. */
  server?: string;
  /** Name in the lease. One process at a time may have it: it takes over from one that died at once. */
  identity?: string;
  env?: Record<string, string>;
  /** With the webhooks of its manifests, until it is disposed of: then nobody launches sessions while it is away. */
  admission?: boolean;
  /** Do not wait until it is ready. */
  unready?: boolean;
}

const REQUESTS = /^ambient_api_requests_total\{verb="([^"]*)",resource="([^"]*)"\} (\d+)/gm;

export interface OperatorPorts {
  live: number;
  runners: number;
  admission: number;
  rest: number;
  health: number;
}

export interface OperatorProcess extends AsyncDisposable {
  readonly pid: number;
  readonly ports: OperatorPorts;
  readonly storeDir: string;
  /** What it logged so far, a JSON object a line. */
  readonly log: string[];
  /** Exit code or signal, when it has ended. */
  readonly exited: Promise<number | string>;
  running(): boolean;
  ready(): Promise<boolean>;
  /** The text of /metrics. */
  metrics(): Promise<string>;
  /** What it asked the API server for so far, as its metrics tell it. */
  requests(): Promise<RequestCount[]>;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<number | string>;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
}

let built: Promise<void> | undefined;

/** What its image starts, behind `node`: of the sources as they are now. */
async function imageCommand(): Promise<string[]> {
  built ??= buildTargets(['operator']);
  await built;
  const dockerfile = await readFile(join(root, 'operator/Dockerfile'), 'utf8');
  const [, command = ''] = /^ENTRYPOINT (\[.*\])$/m.exec(dockerfile) ?? [];
  const [, ...args] = JSON.parse(command) as string[];
  return args.map((arg) => (arg === '/app/main.mjs' ? join(root, 'dist/operator/main.mjs') : arg));
}

export async function runOperatorProcess(
  cluster: Cluster,
  options: OperatorProcessOptions = {},
): Promise<OperatorProcess> {
  await applyOperatorAccount(cluster);
  if (isReachable(cluster)) await useHostService(cluster);
  const folder = await mkdtemp(join(tmpdir(), 'ambient-operator-'));
  const storeDir = options.storeDir ?? join(folder, 'store');
  await mkdir(storeDir, { recursive: true });
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, await operatorKubeconfig(cluster, options.server), { mode: 0o600 });
  const address = cluster.nodeHostAddress;
  const ports = options.ports ?? (await operatorPorts(address));
  const flags = {
    kubeconfig,
    namespace: OPERATOR_NAMESPACE,
    'store-dir': storeDir,
    'listen-address': address,
    'live-port': ports.live,
    'runner-port': ports.runners,
    'admission-port': ports.admission,
    'rest-port': ports.rest,
    'health-port': ports.health,
    'runner-url': `https://${address}:${ports.runners}`,
    identity: options.identity ?? 'host-process',
    ...options.flags,
  };
  const admission =
    options.admission === true
      ? await applyAdmission(cluster, `https://${address}:${ports.admission}/`)
      : undefined;
  const child = spawn(
    process.execPath,
    [...(await imageCommand()), ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`)],
    {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '', ...options.env },
    },
  );
  const log: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => log.push(line));
  const { promise: exited, resolve } = Promise.withResolvers<number | string>();
  let over = false;
  child.once('close', (code, signal) => {
    over = true;
    resolve(code ?? signal ?? 'unknown');
  });
  // A test run that is killed takes its operators along.
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  const endpoint = isReachable(cluster)
    ? await addHostEndpoint(cluster, `host-${child.pid}`, ports)
    : undefined;

  const get = async (path: string): Promise<Response> => fetch(`http://${address}:${ports.health}${path}`);
  const handle: OperatorProcess = {
    pid: child.pid ?? 0,
    ports,
    storeDir,
    log,
    exited,
    running: () => !over,
    ready: async () => (await get('/readyz').catch(() => undefined))?.ok === true,
    metrics: async () => (await get('/metrics')).text(),
    requests: async () =>
      [...(await handle.metrics()).matchAll(REQUESTS)].map(([, verb = '', resource = '', count]) => ({
        verb,
        resource,
        count: Number(count),
      })),
    async stop() {
      child.kill('SIGTERM');
      return exited;
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    async [Symbol.asyncDispose]() {
      process.off('exit', killWithUs);
      if (!over) child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
      await exited;
      clearTimeout(timer);
      await endpoint?.[Symbol.asyncDispose]();
      await admission?.[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
  if (options.unready === true) return handle;
  try {
    await until(
      () => {
        if (over) throw new Error(`the operator ended:\n${log.slice(-20).join('\n')}`);
        return handle.ready();
      },
      'the operator is ready',
      30_000,
    );
    if (options.admission === true) await admissionAnswers(cluster);
  } catch (error) {
    const said = log.slice(-20).join('\n');
    await handle[Symbol.asyncDispose]();
    throw new Error(`${String(error)}\n${said}`, { cause: error });
  }
  return handle;
}

/** Waits until kube-apiserver takes the aggregated API for available. */
export async function liveApiAvailable(cluster: Cluster): Promise<void> {
  await cluster.kubectl([
    'wait',
    '--for=condition=Available',
    '--timeout=30s',
    'apiservice/v1alpha1.live.ambient.ai',
  ]);
}

/** A cluster without a node has no address of this machine but the loopback one, which no Service may point at. */
const isReachable = ({ nodeHostAddress }: Cluster): boolean => !nodeHostAddress.startsWith('127.');

const prepared = new WeakMap<Cluster, Promise<void>>();

/** Namespace, account and roles, once for each cluster. */
export function applyOperatorAccount(cluster: Cluster): Promise<void> {
  let done = prepared.get(cluster);
  if (done === undefined) {
    done = (async () => {
      const wanted = new Set([
        'Namespace',
        'ServiceAccount',
        'ClusterRole',
        'ClusterRoleBinding',
        'Role',
        'RoleBinding',
      ]);
      const objects = parseAllDocuments(await operatorManifests())
        .map((document) => document.toJS() as { kind: string } | null)
        .filter((object) => object !== null && wanted.has(object.kind));
      const list = { apiVersion: 'v1', kind: 'List', items: objects };
      await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(list) });
    })();
    prepared.set(cluster, done);
    done.catch(() => prepared.delete(cluster));
  }
  return done;
}

interface KubeconfigFile {
  clusters: { cluster: { server: string; 'certificate-authority-data'?: string } }[];
}

async function operatorKubeconfig(cluster: Cluster, server: string | undefined): Promise<string> {
  const file = parse(await readFile(cluster.kubeconfig, 'utf8')) as KubeconfigFile;
  const from = file.clusters[0]?.cluster;
  const token = (
    await cluster.kubectl(['-n', OPERATOR_NAMESPACE, 'create', 'token', OPERATOR_NAME, '--duration=4h'])
  ).trim();
  const name = 'operator';
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster: server === undefined ? from : { server } }],
    users: [{ name, user: { token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
  });
}

/** Where an operator will listen. */
export async function operatorPorts(address: string): Promise<OperatorPorts> {
  const [live = 0, runners = 0, admission = 0, rest = 0, health = 0] = await freePorts(address, 5);
  return { live, runners, admission, rest, health };
}
