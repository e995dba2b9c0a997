/** A process whose listener is slow: tells as JSON how many events it had, when the last came, and what it kept waiting. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { KubeClient } from '../../../common/kube/client.ts';
import { Connection } from '../../../common/kube/connection.ts';
import { Reflector } from '../../../common/kube/reflector.ts';
import { configMaps } from '../../../common/kube/resource.ts';

const [server = '', namespace = '', milliseconds = ''] = process.argv.slice(2);

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const kept = (): number => {
  // Buffers are let go only some time after the collection that found them unused.
  for (let i = 0; i < 3; i++) collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

await using connection = new Connection({ cluster: 'slow', credentials: { server, tls: {} } });
await using reflector = new Reflector({
  client: new KubeClient(connection),
  resource: configMaps,
  namespace,
  labelSelector: 'test=yes',
});
const finished = Promise.withResolvers<void>();
let events = 0;
let waiting = 0;
let atStart = 0;
reflector.onChange(({ object }) => {
  events += 1;
  if (events % 25 === 0) waiting = Math.max(waiting, kept() - atStart);
  // Blocks this process, as work would, without taking the processor from the others.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(milliseconds));
  if (object.data?.['last'] === 'yes') finished.resolve();
});
reflector.start();
await reflector.synced();
atStart = kept();
console.log('ready');
await finished.promise;
console.log(JSON.stringify({ events, waiting, at: Date.now() }));
