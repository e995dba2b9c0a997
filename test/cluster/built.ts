/** The cluster that is built here from Go modules: started, attached to, restarted in parts. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { openApi } from './api.ts';
import type { Api } from './api.ts';
import { ensureBinaries } from './binaries.ts';
import { existingBase } from './base-image.ts';
import { CannotError, clusterCapability, ensurePackages } from './capability.ts';
import { writeCertificates } from './certificates.ts';
import type { Cluster, ClusterOptions } from './cluster.ts';
import * as controlPlane from './control-plane.ts';
import type { Instance } from './control-plane.ts';
import { ownerOf, stopDaemons } from './daemons.ts';
import { loadImage } from './image-load.ts';
import { kubeconfigPath, writeKubeconfigs } from './kubeconfigs.ts';
import * as node from './node.ts';
import { nodeTemplate, useTemplate } from './node-template.ts';
import { pauseArchive } from './pause-image.ts';
import { run } from './process.ts';
import { claim, networkOf, readState, writeState } from './state.ts';
import type { ClusterState } from './state.ts';
import { addSmallVolume, applyStorage } from './storage.ts';
import { reap, tearDown } from './teardown.ts';
import type { Component } from './versions.ts';
import { watch } from './watchdog.ts';

function componentsOf(state: Pick<ClusterState, 'node' | 'fakeNodes'>): Component[] {
  return [
    ...(['kubernetes', 'etcd'] as const),
    ...(state.node ? (['coredns', 'pause'] as const) : []),
    ...(state.fakeNodes > 0 ? (['kwok'] as const) : []),
  ];
}

/** Brings up a cluster of our own. Throws CannotError when this machine cannot, and cleans up after any failure. */
export async function startBuilt(options: ClusterOptions & { readonly name: string }): Promise<Cluster> {
  const log = options.log ?? (() => undefined);
  const timings: Record<string, number> = {};
  const timed = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    const started = performance.now();
    const result = await work();
    timings[what] = Math.round(performance.now() - started);
    return result;
  };
  const wanted = { name: options.name, node: options.node ?? false, fakeNodes: options.fakeNodes ?? 0 };
  const able = await clusterCapability();
  if (able.controlPlane !== true) throw new CannotError(able.controlPlane);
  if (wanted.node && able.node !== true) throw new CannotError(able.node);
  await reap(log);
  if (wanted.node) await timed('packages', () => ensurePackages('node', log));
  const binaries = await timed('binaries', () => ensureBinaries(componentsOf(wanted), log));
  const started = performance.now();
  const owner = ownerOf(process.pid);
  const { stateDir, state } = await claim({ ...wanted, ...(owner && { owner }) });
  const unwatch = watch(stateDir);
  const instance = { stateDir, state, binaries };
  try {
    await bringUp(instance, options.images ?? [], timed, log);
    timings['start'] = Math.round(performance.now() - started);
    const { owner: _owner, ...kept } = state;
    await writeState(stateDir, { ...(options.keep === true ? kept : state), ready: true, timings });
    // Until here it was watched too, so that a start that is killed leaves nothing.
    if (options.keep === true) unwatch();
    log(`cluster ${state.name} is up: ${JSON.stringify(timings)}`);
    return await builtCluster(instance, timings, unwatch);
  } catch (error) {
    await tearDown(stateDir);
    unwatch();
    throw error;
  }
}

type Timed = <T>(what: string, work: () => Promise<T>) => Promise<T>;

async function bringUp(
  instance: Instance,
  images: readonly string[],
  timed: Timed,
  log: (line: string) => void,
): Promise<void> {
  const { stateDir, state, binaries } = instance;
  const network = networkOf(state.slot);
  const addresses = ['127.0.0.1', network.host, network.node, network.apiService];
  const server = controlPlane.serverUrl(state);
  log(`starting cluster ${state.name} at ${server}`);
  await timed('certificates', async () => {
    await writeCertificates(path.join(stateDir, 'pki'), addresses, node.nodeName, new Date());
    await writeKubeconfigs(stateDir, state.name, server);
    await mkdir(path.join(stateDir, 'log'), { recursive: true });
  });
  await controlPlane.startEtcd(instance);
  if (state.node) await timed('network', () => node.startNetwork(instance));
  await controlPlane.startApiServer(instance);
  using api = await openApi(stateDir, server);
  const plane = async (): Promise<void> => {
    await timed('apiServer', () => controlPlane.waitForApiServer(instance, api));
    await controlPlane.startControllers(instance);
    if (state.fakeNodes > 0) await timed('fakeNodes', () => controlPlane.startFakeNodes(instance, api));
    if (state.node) await applyStorage(api, stateDir);
  };
  const containers = async (): Promise<void> => {
    if (!state.node) return;
    const pause = await pauseArchive(binaries, log);
    const base = await existingBase();
    const template = base && (await nodeTemplate([pause, base], binaries, log));
    const filled = template !== undefined && (await timed('template', () => useTemplate(template, stateDir)));
    await timed('containerd', () => node.startContainerd(instance));
    await timed('images', async () => {
      for (const archive of filled ? images : [pause, ...images]) await loadImage(stateDir, archive);
    });
  };
  // Both run to their end before a failure of one takes everything down.
  for (const result of await Promise.allSettled([plane(), containers()])) {
    if (result.status === 'rejected') throw result.reason;
  }
  if (state.node) await timed('nodeReady', () => node.startKubelet(instance, api));
}

/** The running cluster in a state folder, or undefined when there is none or it does not answer. */
export async function attachBuilt(stateDir: string): Promise<Cluster | undefined> {
  const state = await readState(stateDir);
  if (state?.ready !== true) return undefined;
  const binaries = await ensureBinaries(componentsOf(state), () => undefined);
  using api = await openApi(stateDir, controlPlane.serverUrl(state));
  if (!(await api.ready())) return undefined;
  return builtCluster({ stateDir, state, binaries }, { ...state.timings }, () => undefined);
}

async function builtCluster(
  instance: Instance,
  timings: Record<string, number>,
  unwatch: () => void,
): Promise<Cluster> {
  const { stateDir, state, binaries } = instance;
  const kubeconfig = kubeconfigPath(stateDir, 'admin');
  const server = controlPlane.serverUrl(state);
  const withApi = async <T>(work: (api: Api) => Promise<T>): Promise<T> => {
    using api = await openApi(stateDir, server);
    return work(api);
  };
  const needNode = (): void => {
    if (!state.node) throw new CannotError(`cluster ${state.name} has no node that runs containers`);
  };
  const startApiServer = async (): Promise<void> => {
    await controlPlane.startApiServer(instance);
    await withApi((api) => controlPlane.waitForApiServer(instance, api));
  };
  const down = async (): Promise<void> => {
    await tearDown(stateDir);
    unwatch();
  };
  return {
    provider: 'built',
    name: state.name,
    kubeconfig,
    kubectlPath: binaries.path('kubectl'),
    server,
    stateDir,
    node: state.node,
    nodeHostAddress: controlPlane.apiAddress(state),
    timings,
    kubectl: (args, { input, timeoutMs = 60_000 } = {}) =>
      run(binaries.path('kubectl'), ['--kubeconfig', kubeconfig, ...args], {
        timeoutMs,
        ...(input !== undefined && { input }),
      }),
    async loadImage(archive) {
      needNode();
      await loadImage(stateDir, archive);
    },
    async addSmallVolume(name, mebibytes) {
      needNode();
      await withApi((api) => addSmallVolume(api, stateDir, name, mebibytes));
    },
    async stopApiServer() {
      await stopDaemons(stateDir, 'kube-apiserver');
    },
    startApiServer,
    async restartApiServer() {
      // As an upgrade does it: asked to end, then killed.
      await stopDaemons(stateDir, 'kube-apiserver', 2000);
      await startApiServer();
    },
    async stopNode() {
      needNode();
      await node.stopNode(stateDir);
    },
    async startNode() {
      needNode();
      await node.startContainerd(instance);
      await withApi((api) => node.startKubelet(instance, api));
    },
    down,
    [Symbol.asyncDispose]: down,
  };
}
