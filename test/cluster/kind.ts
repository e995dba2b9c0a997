/** A cluster by kind, where Docker answers. Written from its documentation; the suite itself runs the built-in one. */
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { CannotError, findCommand } from './capability.ts';
import type { Cluster, ClusterOptions } from './cluster.ts';
import { run, succeeds } from './process.ts';
import { stateRoot } from './state.ts';

/** Whether a Docker engine answers and kind is installed. The client alone is not enough. */
export async function dockerAnswers(): Promise<boolean> {
  return findCommand('kind') !== undefined && (await succeeds('docker', ['info']));
}

export async function startKind(options: ClusterOptions & { readonly name: string }): Promise<Cluster> {
  const name = `ambient-${options.name}`;
  const container = `${name}-control-plane`;
  const stateDir = path.join(stateRoot(), `kind-${options.name}`);
  const kubeconfig = path.join(stateDir, 'admin.kubeconfig');
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const started = performance.now();
  const log = options.log ?? (() => undefined);
  const kubectl: Cluster['kubectl'] = (args, { input, timeoutMs = 60_000 } = {}) =>
    run('kubectl', ['--kubeconfig', kubeconfig, ...args], {
      timeoutMs,
      ...(input !== undefined && { input }),
    });
  const loadImage = async (archive: string): Promise<void> => {
    await run('kind', ['load', 'image-archive', archive, '--name', name]);
  };
  const cannot = async (): Promise<never> => {
    throw new CannotError('not possible with kind');
  };
  const down = async (): Promise<void> => {
    await run('kind', ['delete', 'cluster', '--name', name]);
    await rm(stateDir, { recursive: true, force: true });
  };
  try {
    await run('kind', ['create', 'cluster', '--name', name, '--kubeconfig', kubeconfig, '--wait', '120s'], {
      onStderr: log,
    });
    for (const archive of options.images ?? []) await loadImage(archive);
    const view = ['config', 'view', '--minify', '-o', 'jsonpath={.clusters[0].cluster.server}'];
    const gateway = '{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}';
    return {
      provider: 'kind',
      name: options.name,
      kubeconfig,
      kubectlPath: 'kubectl',
      server: await kubectl(view),
      stateDir,
      node: true,
      nodeHostAddress: (await run('docker', ['inspect', '-f', gateway, container])).trim(),
      timings: { start: Math.round(performance.now() - started) },
      kubectl,
      loadImage,
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
  } catch (error) {
    await down().catch(() => undefined);
    throw error;
  }
}
