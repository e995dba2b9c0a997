/** A cluster by kind, where Docker answers. Written from its documentation; the suite itself runs the built-in one. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { CannotError, findCommand } from './capability.ts';
import type { Cluster, ClusterOptions } from './cluster.ts';
import { run, succeeds } from './process.ts';
import { stateRoot } from './state.ts';
import { watch } from './watchdog.ts';

/** Whether a Docker engine answers and kind is installed. The client alone is not enough. */
export async function dockerAnswers(): Promise<boolean> {
  return findCommand('kind') !== undefined && (await succeeds('docker', ['info']));
}

/** Created by us, so that teardown knows whose it is: holds the name that kind knows. */
const markFile = 'kind';

export function kindStateDir(name: string): string {
  return path.join(stateRoot(), `kind-${name}`);
}

export async function startKind(options: ClusterOptions & { readonly name: string }): Promise<Cluster> {
  const log = options.log ?? (() => undefined);
  const stateDir = kindStateDir(options.name);
  const name = `ambient-${options.name}`;
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  await writeFile(path.join(stateDir, markFile), name);
  const unwatch = watch(stateDir);
  const started = performance.now();
  try {
    const kubeconfig = path.join(stateDir, kubeconfigFile);
    const create = ['create', 'cluster', '--name', name, '--kubeconfig', kubeconfig, '--wait', '120s'];
    await run('kind', create, { onStderr: log });
    const timings = { start: Math.round(performance.now() - started) };
    const cluster = await kindCluster(options.name, stateDir, timings, unwatch);
    for (const archive of options.images ?? []) await cluster.loadImage(archive);
    if (options.keep === true) unwatch();
    return cluster;
  } catch (error) {
    await removeKind(stateDir);
    unwatch();
    throw error;
  }
}

/** The one that `up` left running, or undefined. */
export async function attachKind(name: string): Promise<Cluster | undefined> {
  const stateDir = kindStateDir(name);
  if (!existsSync(path.join(stateDir, kubeconfigFile))) return undefined;
  const cluster = await kindCluster(name, stateDir, {}, () => undefined);
  return (await cluster.kubectl(['get', '--raw', '/readyz']).catch(() => '')) === 'ok' ? cluster : undefined;
}

/** Deletes the cluster whose folder this is; does nothing for a folder that is not kind's. */
export async function removeKind(stateDir: string): Promise<void> {
  const name = await readFile(path.join(stateDir, markFile), 'utf8').catch(() => undefined);
  if (name === undefined) return;
  await run('kind', ['delete', 'cluster', '--name', name]);
  await rm(stateDir, { recursive: true, force: true });
}

const kubeconfigFile = 'admin.kubeconfig';

async function kindCluster(
  name: string,
  stateDir: string,
  timings: Readonly<Record<string, number>>,
  unwatch: () => void,
): Promise<Cluster> {
  const kubeconfig = path.join(stateDir, kubeconfigFile);
  const container = `ambient-${name}-control-plane`;
  const kubectl: Cluster['kubectl'] = (args, { input, timeoutMs = 60_000 } = {}) =>
    run('kubectl', ['--kubeconfig', kubeconfig, ...args], {
      timeoutMs,
      ...(input !== undefined && { input }),
    });
  const cannot = async (): Promise<never> => {
    throw new CannotError('not possible with kind');
  };
  const down = async (): Promise<void> => {
    await removeKind(stateDir);
    unwatch();
  };
  const gateway = '{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}';
  return {
    provider: 'kind',
    name,
    kubeconfig,
    kubectlPath: 'kubectl',
    server: await kubectl(['config', 'view', '--minify', '-o', 'jsonpath={.clusters[0].cluster.server}']),
    stateDir,
    node: true,
    nodeHostAddress: (await run('docker', ['inspect', '-f', gateway, container])).trim(),
    timings,
    kubectl,
    async loadImage(archive) {
      await run('kind', ['load', 'image-archive', archive, '--name', `ambient-${name}`]);
    },
    addSmallVolume: cannot,
    stopApiServer: cannot,
    startApiServer: cannot,
    restartApiServer: cannot,
    async stopNode() {
      await run('docker', ['stop', '--time', '0', container]);
    },
    async startNode() {
      await run('docker', ['start', container]);
    },
    down,
    [Symbol.asyncDispose]: down,
  };
}
