/** The operator in a cluster, as its manifests have it: images built, loaded and deployed. For tests, demo and `cluster up --operator`. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OPERATOR_NAME, OPERATOR_NAMESPACE } from '../../common/api/names.ts';
import { buildTargets } from '../../scripts/build.ts';
import { frameworkContext } from '../../scripts/framework-images.ts';
import type { FrameworkImage } from '../../scripts/framework-programs.ts';
import type { Cluster } from '../cluster/index.ts';
import { buildImage } from '../cluster/images.ts';
import type { BuildOptions } from '../cluster/images.ts';
import { admissionAnswers } from './admission.ts';
import { removeHostService } from './host-service.ts';
import { restAnswers, restForwarder } from './rest-forwarder.ts';

const root = join(import.meta.dirname, '..', '..');
export const manifests = join(root, 'manifests');

export interface Deployed extends Record<string, unknown> {
  operatorImage: string;
  runnerImage: string;
  namespace: string;
  /** Base address of the REST API, where it was asked for. */
  rest?: string;
}

export interface DeployOptions {
  log?: (line: string) => void;
  /** Use what stands in dist/. */
  built?: boolean;
  /** Images of vendors' agents to build and load besides; their frameworks are there in any case. */
  agents?: readonly FrameworkImage[];
  /** Leave out frameworks whose images are not loaded: people choose from them. */
  runnableOnly?: boolean;
  /** Arguments of the operator, beside those of its manifest. */
  args?: string[];
  /** Make the REST API reachable from this machine. */
  rest?: boolean;
}

/**
 * Builds what is not built, and returns when operator, aggregated API and admission are available. Deploying the same again changes
 * nothing. Throws with what the operator says when it does not come up.
 */
export async function deployOperator(cluster: Cluster, options: DeployOptions = {}): Promise<Deployed> {
  const { log = () => undefined } = options;
  // The cluster's own folder knows its processes; a cluster that was there before has none.
  const rest =
    options.rest === true && cluster.provider !== 'context' ? await restForwarder(cluster) : undefined;
  const args = [...(options.args ?? []), ...(rest === undefined ? [] : [`--rest-url=${rest}`])];
  if (!options.built) await buildTargets(['operator', 'runner']);
  const [operatorImage, runnerImage] = await loadImages(cluster, ['operator', 'runner'] as const, log);
  await applyApi(cluster);
  const agentImages = await loadAgentImages(cluster, options.agents ?? [], log);
  await applyFrameworks(cluster, runnerImage, agentImages, options.runnableOnly);
  log('deploying the operator');
  await removeHostService(cluster);
  const objects = await operatorManifests();
  const text = objects
    .replaceAll('image: ambient-operator:0.1.0', `image: ${operatorImage}`)
    .replace(
      '          env:\n',
      args.length === 0 ? '          env:\n' : `          args: ${JSON.stringify(args)}\n          env:\n`,
    );
  await cluster.kubectl(['apply', '-f', '-'], { input: text });
  await available(cluster, log);
  if (rest !== undefined) await restAnswers(rest);
  return {
    operatorImage,
    runnerImage,
    namespace: OPERATOR_NAMESPACE,
    ...(rest === undefined ? {} : { rest }),
  };
}

/** Builds images from what stands in dist/ and loads them into the node. Their tags tell their content, so no pod runs an older one. */
export async function loadImages<const T extends readonly ('operator' | 'runner')[]>(
  cluster: Cluster,
  names: T,
  log: (line: string) => void,
): Promise<{ [K in keyof T]: string }> {
  const tags: string[] = [];
  for (const name of names) tags.push(await loadImage(cluster, await imageOf(name), log));
  return tags as { [K in keyof T]: string };
}

/** How it is built of what stands in dist/. */
export async function imageOf(name: 'operator' | 'runner'): Promise<BuildOptions> {
  const context = join(root, 'dist', name);
  if (!existsSync(join(context, 'main.mjs'))) await buildTargets([name]);
  const dockerfile = join(root, name, 'Dockerfile');
  return { dockerfile, context, tag: await tagOf(name, [dockerfile, join(context, 'main.mjs')]) };
}

/** The same of vendors' agents: by the names that manifests/frameworks have for them. */
export async function loadAgentImages(
  cluster: Cluster,
  names: readonly FrameworkImage[],
  log: (line: string) => void,
): Promise<Record<string, string>> {
  const tags: Record<string, string> = {};
  for (const name of names) {
    const context = await frameworkContext(name, log);
    const lock = join(root, 'runner/frameworks', name, 'package-lock.json');
    const told = [join(context, 'runner/main.mjs'), join(context, 'runner/start.mjs'), lock];
    const dockerfile = join(context, 'Dockerfile');
    const tag = await tagOf(name, [dockerfile, ...told]);
    tags[`ambient-${name}:0.1.0`] = await loadImage(cluster, { dockerfile, context, tag }, log);
  }
  return tags;
}

/** Builds it, unless it is built, and loads it into the node. Resolves with its tag. */
export async function loadImage(
  cluster: Cluster,
  image: BuildOptions,
  log: (line: string) => void,
): Promise<string> {
  const archive = await buildImage({ ...image, log });
  log(`loading image ${image.tag}`);
  await cluster.loadImage(archive);
  return image.tag;
}

/** @param files those that tell one image of the name from another */
export async function tagOf(name: string, files: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const file of files) hash.update(await readFile(file));
  return `docker.io/library/ambient-${name}:${hash.digest('hex').slice(0, 16)}`;
}

/** The CRDs, served. */
export async function applyApi(cluster: Cluster): Promise<void> {
  const folder = join(manifests, 'crds');
  await cluster.kubectl(['apply', '-f', folder]);
  const names = (await readdir(folder)).map((file) => `crd/${file.replace(/\.yaml$/, '')}`);
  await cluster.kubectl(['wait', '--for=condition=Established', '--timeout=30s', ...names]);
}

/** The frameworks of the repository, with the images of this build by the names the manifests have for them. */
export async function applyFrameworks(
  cluster: Cluster,
  runnerImage: string,
  agentImages: Readonly<Record<string, string>> = {},
  runnableOnly = false,
): Promise<void> {
  const images = { 'ambient-runner:0.1.0': runnerImage, ...agentImages };
  const texts = (await readEach(join(manifests, 'frameworks'))).map((text) =>
    Object.entries(images).reduce(
      (all, [name, image]) => all.replaceAll(`image: ${name}`, `image: ${image}`),
      text,
    ),
  );
  const chosen = runnableOnly ? texts.filter((text) => !/image: ambient-[a-z-]+:/.test(text)) : texts;
  await cluster.kubectl(['apply', '-f', '-'], { input: chosen.join(BETWEEN) });
}

export const operatorManifests = (): Promise<string> => readAll(join(manifests, 'operator'));

const BETWEEN = '\n---\n';

const readAll = async (folder: string): Promise<string> => (await readEach(folder)).join(BETWEEN);

async function readEach(folder: string): Promise<string[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.yaml')).sort();
  return await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
}

async function available(cluster: Cluster, log: (line: string) => void): Promise<void> {
  const inNamespace = ['-n', OPERATOR_NAMESPACE];
  try {
    await cluster.kubectl(
      [...inNamespace, 'rollout', 'status', `deployment/${OPERATOR_NAME}`, '--timeout=90s'],
      {
        timeoutMs: 100_000,
      },
    );
    await cluster.kubectl(
      ['wait', '--for=condition=Available', '--timeout=60s', 'apiservice/v1alpha1.live.ambient.ai'],
      {
        timeoutMs: 70_000,
      },
    );
    await admissionAnswers(cluster);
  } catch (error) {
    for (const args of [
      ['describe', 'pods', '-l', `app.kubernetes.io/name=${OPERATOR_NAME}`],
      ['logs', `deployment/${OPERATOR_NAME}`, '--tail=50'],
      ['get', 'apiservice', 'v1alpha1.live.ambient.ai', '-o', 'jsonpath={.status}'],
    ])
      log(await cluster.kubectl([...inNamespace, ...args]).catch(String));
    throw error;
  }
}
