/** A process whose listener blocks until it is told to go on: says as JSON how many events it had and what it kept waiting. */
import { existsSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { KubeClient } from '../../../common/kube/client.ts';
import { Connection } from '../../../common/kube/connection.ts';
import { Reflector } from '../../../common/kube/reflector.ts';
import { configMaps } from '../../../common/kube/resource.ts';

const [server = '', namespace = '', goOn = ''] = process.argv.slice(2);

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
let isWatching = false;
let events = 0;
let waiting = 0;
let atStart = 0;
reflector.onChange(({ object }) => {
  events += 1;
  if (events % 25 === 0) waiting = Math.max(waiting, kept() - atStart);
  while (isWatching && !existsSync(goOn)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  if (object.data?.['last'] === 'yes') finished.resolve();
});
reflector.start();
await reflector.synced();
atStart = kept();
isWatching = true;
console.log('ready');
await finished.promise;
console.log(JSON.stringify({ events, waiting }));
