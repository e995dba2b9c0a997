/** A process that owns a cluster with a running pod and never ends by itself; for a test that kills it. */
import { baseArchive } from './images.ts';
import { clusterUp } from './index.ts';
import { baseImage } from './versions.ts';

const cluster = await clusterUp({ node: true, images: [await baseArchive(() => undefined)] });
const run = ['run', 'busy', '--restart=Never', '--image', baseImage, '--command', '--'];
await cluster.kubectl([...run, 'node', '-e', 'setInterval(() => {}, 1000)']);
await cluster.kubectl(['wait', '--for=condition=Ready', 'pod/busy', '--timeout=60s']);
process.stdout.write(`ready ${cluster.stateDir}\n`);
setInterval(() => undefined, 60_000);
