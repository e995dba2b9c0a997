/** A cluster whose node runs sessions: it has the runner's image, and knows the repository's own frameworks. */
import type { Context } from 'mocha';
import { testCluster } from './cluster.ts';
import type { TestCluster } from './cluster.ts';
import { applyFrameworks, loadImages } from './deploy.ts';

export interface RunnerCluster {
  cluster: TestCluster;
  runnerImage: string;
}

/** Called in a before hook. Skips the suite with the reason where this machine can run no containers. */
export async function runnerCluster(context: Context): Promise<RunnerCluster> {
  const cluster = await testCluster(context, { node: true });
  const [runnerImage] = await loadImages(cluster, ['runner'], () => undefined);
  await applyFrameworks(cluster, runnerImage);
  return { cluster, runnerImage };
}
