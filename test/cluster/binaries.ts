/** Builds the servers of a cluster from their Go modules, each once per machine. */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { cacheRoot, cached, contentHash, exists } from './cache.ts';
import { run, succeeds } from './process.ts';
import { builds } from './versions.ts';
import type { Component } from './versions.ts';

type Log = (line: string) => void;

/** Where a program is: `binaries.path('kubelet')`. Throws when nothing built it. */
export interface Binaries {
  has(name: string): boolean;
  path(name: string): string;
  /** The folder of a component's data files. */
  data(component: Component): string;
}

const goDir = path.join(import.meta.dirname, 'go');

/**
 * Makes sure of the components, building what the cache does not have (about 7.5 minutes cold on 2 cores for all).
 * What is in the folder `KUBEBUILDER_ASSETS` (envtest's kube-apiserver, etcd and kubectl, or more) is taken from there.
 * Throws CommandError when a build fails.
 */
export async function ensureBinaries(components: readonly Component[], log: Log): Promise<Binaries> {
  const programs = new Map<string, string>();
  const folders = new Map<Component, string>();
  for (const component of components) {
    const names = Object.keys(builds[component].binaries);
    const given = names.filter((name) => existsSync(asset(name)));
    const wanted = (await isBuilt(component)) || (await goWorks());
    // Of Kubernetes, envtest has no controllers; where they cannot be built the cluster goes without.
    if (given.length < names.length && (wanted || given.length === 0)) {
      const folder = await ensure(component, log);
      folders.set(component, folder);
      for (const name of names) programs.set(name, path.join(folder, name));
    }
    for (const name of given) programs.set(name, asset(name));
  }
  return {
    has: (name) => programs.has(name),
    path(name) {
      const found = programs.get(name);
      if (found === undefined) throw new Error(`${name} was not asked for when the binaries were made ready`);
      return found;
    },
    data(component) {
      const folder = folders.get(component);
      if (folder === undefined) throw new Error(`${component} was not asked for`);
      return path.join(folder, 'data');
    },
  };
}

/** Where envtest would have the program; a path that does not exist when there is no envtest. */
function asset(name: string): string {
  return path.join(process.env['KUBEBUILDER_ASSETS'] ?? '/nonexistent', name);
}

/** Whether the component needs no build, for being in the cache or given. */
export async function isBuilt(component: Component): Promise<boolean> {
  const { key } = await keyOf(component);
  return exists(path.join(cacheRoot(), key));
}

/** Whether envtest gives an API server and its store. */
export function haveAssets(): boolean {
  return existsSync(asset('kube-apiserver')) && existsSync(asset('etcd')) && existsSync(asset('kubectl'));
}

function goWorks(): Promise<boolean> {
  return succeeds('go', ['version']);
}

async function keyOf(component: Component): Promise<{ key: string; source: string }> {
  const source = path.join(goDir, component);
  const names = (await readdir(source)).sort();
  const inputs = await Promise.all(names.map((name) => readFile(path.join(source, name))));
  const hash = contentHash(...inputs, JSON.stringify(builds[component]), process.arch, process.platform);
  return { source, key: `bin/${component}-${hash}` };
}

async function ensure(component: Component, log: Log): Promise<string> {
  const { binaries, ldflags, data } = builds[component];
  const { key, source } = await keyOf(component);
  return cached(
    key,
    async (folder) => {
      log(`building ${component} from Go modules (once on this machine)`);
      const started = performance.now();
      const go = (args: readonly string[]): Promise<string> =>
        run('go', args, { cwd: source, env: { CGO_ENABLED: '0', GOFLAGS: '', GOWORK: 'off' } });
      for (const [output, packages] of outputs(folder, binaries)) {
        await go([
          ...['build', '-mod=readonly', '-trimpath', '-buildvcs=false', '-ldflags', ldflags, '-o', output],
          ...packages,
        ]);
      }
      if (data !== undefined) {
        const dir = (await go(['list', '-mod=readonly', '-m', '-f', '{{.Dir}}', data.module])).trim();
        for (const from of data.folders) await copyYaml(path.join(dir, from), path.join(folder, 'data'));
      }
      log(`built ${component} in ${((performance.now() - started) / 1000).toFixed(0)} s`);
    },
    log,
  );
}

/** Several binaries go to a folder in one build, which shares the work; one may have another name than its package. */
function outputs(folder: string, binaries: Readonly<Record<string, string>>): [string, string[]][] {
  const entries = Object.entries(binaries);
  if (entries.length > 1) return [[`${folder}/`, entries.map(([, pkg]) => pkg)]];
  return entries.map(([name, pkg]) => [path.join(folder, name), [pkg]]);
}

async function copyYaml(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const name of await readdir(from)) {
    if (!name.endsWith('.yaml') || name === 'kustomization.yaml') continue;
    await copyFile(path.join(from, name), path.join(to, `${path.basename(from)}-${name}`));
  }
}
