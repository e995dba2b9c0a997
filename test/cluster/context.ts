/** A cluster of the user's own kubeconfig, used as it is. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CannotError } from './capability.ts';
import type { Cluster } from './cluster.ts';
import { run } from './process.ts';

interface Minified {
  readonly clusters: readonly { readonly cluster: { readonly server: string } }[];
}

/** Needs kubectl on the PATH. Throws when the context is not there. */
export async function useContext(context: string): Promise<Cluster> {
  const view = ['config', 'view', '--context', context, '--minify', '--flatten', '-o', 'json'];
  const text = await run('kubectl', view, { timeoutMs: 20_000 });
  const server = (JSON.parse(text) as Minified).clusters[0]?.cluster.server;
  if (server === undefined) throw new CannotError(`context ${context} names no server`);
  const stateDir = await mkdtemp(path.join(tmpdir(), 'ambient-context-'));
  const kubeconfig = path.join(stateDir, 'admin.kubeconfig');
  await writeFile(kubeconfig, text, { mode: 0o600 });
  const cannot = async (): Promise<never> => {
    throw new CannotError(`cluster ${context} is not ours: only its objects can be changed`);
  };
  const down = (): Promise<void> => rm(stateDir, { recursive: true, force: true });
  return {
    provider: 'context',
    name: context,
    kubeconfig,
    kubectlPath: 'kubectl',
    server,
    stateDir,
    node: true,
    nodeHostAddress: '',
    timings: {},
    kubectl: (args, { input, timeoutMs = 60_000 } = {}) =>
      run('kubectl', ['--kubeconfig', kubeconfig, ...args], {
        timeoutMs,
        ...(input !== undefined && { input }),
      }),
    loadImage: cannot,
    addSmallVolume: cannot,
    stopApiServer: cannot,
    startApiServer: cannot,
    restartApiServer: cannot,
    stopNode: cannot,
    startNode: cannot,
    down,
    [Symbol.asyncDispose]: down,
  };
}
