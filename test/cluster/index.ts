/** Clusters for tests, demo and bench: `await using cluster = await clusterUp({ node: true })`. */
import { randomBytes } from 'node:crypto';
import { attachBuilt, startBuilt } from './built.ts';
import type { Cluster, ClusterOptions } from './cluster.ts';
import { useContext } from './context.ts';
import { dockerAnswers, startKind } from './kind.ts';

export type { Cluster, ClusterOptions } from './cluster.ts';
export { CannotError, clusterCapability } from './capability.ts';
export type { Capability } from './capability.ts';

/**
 * The context that was asked for; else kind where Docker answers; else one built here. It is taken down with `down()`,
 * or when this process ends in whatever way, unless `keep` is set. Throws CannotError when this machine cannot run it.
 */
export async function clusterUp(options: ClusterOptions = {}): Promise<Cluster> {
  if (options.context !== undefined) return useContext(options.context);
  const named = { ...options, name: options.name ?? `t${randomBytes(4).toString('hex')}` };
  if (options.node === true && (await dockerAnswers())) return startKind(named);
  return startBuilt(named);
}

/** The cluster that `npm run cluster -- up` left running. Throws when it is not there or does not answer. */
export async function attachCluster(stateDir: string): Promise<Cluster> {
  const cluster = await attachBuilt(stateDir);
  if (cluster === undefined) throw new Error(`no running cluster in ${stateDir}`);
  return cluster;
}
