/**
 * The REST API of a cluster's operator at an address of this machine that needs no authority to be trusted: what comes in over
 * plain TCP goes on over TLS, checked, to the operator's Service. A process of the cluster's own: it outlives pods of the
 * operator, and ends with the cluster.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { createServer, connect as connectPlain } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import path from 'node:path';
import { connect as connectTls } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { OPERATOR_NAME, OPERATOR_NAMESPACE } from '../../common/api/names.ts';
import { REST_BASE } from '../../common/api/rest/operation.ts';
import type { Cluster } from '../cluster/index.ts';
import { daemonsOf, startDaemon, stopDaemons } from '../cluster/daemons.ts';
import { run } from '../cluster/process.ts';
import { until } from './until.ts';

const ROLE = 'rest-forwarder';
const PORT = 8447;
const CONNECT_MS = 2000;
/** A pod of the operator that is exchanged is back by then. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 250;

const portFile = (stateDir: string): string => path.join(stateDir, 'rest.port');

/** Starts it where it does not run. Resolves with the base address, the same each time. */
export async function restForwarder(cluster: Cluster): Promise<string> {
  const { stateDir, kubeconfig, kubectlPath } = cluster;
  const isUp = async (): Promise<number | undefined> => {
    const port = Number(await readFile(portFile(stateDir), 'utf8').catch(() => '0'));
    return port > 0 && (await opens('127.0.0.1', port)) ? port : undefined;
  };
  let port = daemonsOf(stateDir, ROLE).length > 0 ? await isUp() : undefined;
  if (port === undefined) {
    await stopDaemons(stateDir, ROLE);
    await startDaemon(stateDir, ROLE, [
      process.execPath,
      import.meta.filename,
      stateDir,
      kubeconfig,
      kubectlPath,
    ]);
    port = await until(isUp, 'the way to the REST API is open', 10_000);
  }
  return `http://127.0.0.1:${port}${REST_BASE}`;
}

/** Waits until the operator answers there. */
export async function restAnswers(base: string): Promise<void> {
  await until(
    async () => {
      const answer = await fetch(`${base}/openapi.json`).catch(() => undefined);
      await answer?.arrayBuffer();
      return answer?.ok === true;
    },
    'the REST API answers',
    60_000,
  );
}

async function opens(host: string, port: number): Promise<boolean> {
  const socket = connectPlain({ host, port, timeout: CONNECT_MS });
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      for (const event of ['error', 'timeout', 'close']) socket.once(event, () => resolve(false));
    });
  } finally {
    socket.destroy();
  }
}

interface Target {
  host: string;
  port: number;
  ca: string;
}

/** Where the operator is, found out anew whenever it is not there any more. */
class Way {
  readonly #kubectl: (args: readonly string[]) => Promise<string>;
  readonly #command: readonly [string, ...string[]];
  #target: Promise<Target> | undefined;
  #portForward: ChildProcess | undefined;

  constructor(kubeconfig: string, kubectlPath: string) {
    this.#command = [kubectlPath, '--kubeconfig', kubeconfig, '-n', OPERATOR_NAMESPACE];
    const [file, ...args] = this.#command;
    this.#kubectl = (more) => run(file, [...args, ...more], { timeoutMs: 20_000 });
  }

  /** A connection to the operator, tried for a while. */
  async open(isWanted: () => boolean): Promise<TLSSocket> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        this.#target ??= this.#find();
        return await handshake(await this.#target);
      } catch (error) {
        this.#target = undefined;
        if (!isWanted() || performance.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
  }

  async #find(): Promise<Target> {
    const [authority, host] = await Promise.all([
      this.#kubectl(['get', 'secret', 'ambient-operator-tls', '-o', 'jsonpath={.data.ca\\.crt}']),
      this.#kubectl(['get', 'service', OPERATOR_NAME, '-o', 'jsonpath={.spec.clusterIP}']),
    ]);
    const ca = Buffer.from(authority, 'base64').toString('utf8');
    // This machine has a route to the Services of a cluster that was built here, and to no other's.
    if (await opens(host, PORT)) return { host, port: PORT, ca };
    return { host: '127.0.0.1', port: await this.#forward(), ca };
  }

  async #forward(): Promise<number> {
    this.#portForward?.kill();
    const [file, ...args] = this.#command;
    const child = spawn(file, [...args, 'port-forward', `service/${OPERATOR_NAME}`, `:${PORT}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#portForward = child;
    return await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', () => reject(new Error('kubectl port-forward ended')));
      child.stdout.on('data', (chunk: Buffer) => {
        const port = /127\.0\.0\.1:(\d+)/.exec(chunk.toString('utf8'))?.[1];
        if (port !== undefined) resolve(Number(port));
      });
    });
  }
}

function handshake({ host, port, ca }: Target): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const servername = `${OPERATOR_NAME}.${OPERATOR_NAMESPACE}.svc`;
    const socket = connectTls({ host, port, ca, servername, ALPNProtocols: ['http/1.1'] });
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(CONNECT_MS, () => fail(new Error('no answer')));
    socket.once('error', fail);
    socket.once('secureConnect', () => {
      socket.setTimeout(0);
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

async function join(client: Socket, way: Way): Promise<void> {
  client.on('error', () => client.destroy());
  client.setNoDelay(true);
  const upstream = await way.open(() => !client.destroyed).catch(() => undefined);
  if (upstream === undefined || client.destroyed) {
    upstream?.destroy();
    client.end(
      'HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n',
    );
    return;
  }
  upstream.setNoDelay(true);
  upstream.on('error', () => client.destroy());
  upstream.on('close', () => client.destroy());
  client.on('close', () => upstream.destroy());
  client.pipe(upstream);
  upstream.pipe(client);
}

async function listen(stateDir: string, kubeconfig: string, kubectlPath: string): Promise<void> {
  const way = new Way(kubeconfig, kubectlPath);
  const server = createServer({ allowHalfOpen: true }, (client) => {
    join(client, way).catch(() => client.destroy());
  });
  const open = (port: number): Promise<number> =>
    new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
    });
  const before = Number(await readFile(portFile(stateDir), 'utf8').catch(() => '0'));
  const port = await open(before).catch(() => open(0));
  await writeFile(`${portFile(stateDir)}.part`, String(port));
  await rename(`${portFile(stateDir)}.part`, portFile(stateDir));
}

const [, script, ...rest] = process.argv;
if (script === import.meta.filename) await listen(...(rest as [string, string, string]));
