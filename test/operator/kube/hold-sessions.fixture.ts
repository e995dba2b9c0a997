/** A process that holds all Sessions of a cluster: tells as JSON how long that took and how much heap it needs. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { KubeClient } from '../../../common/kube/client.ts';
import { loadKubeconfig } from '../../../common/kube/kubeconfig.ts';
import { Reflector } from '../../../common/kube/reflector.ts';
import { sessions } from '../../../common/kube/resource.ts';

const [kubeconfig = ''] = process.argv.slice(2);

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const used = (): number => {
  for (let i = 0; i < 3; i++) collectGarbage();
  return getHeapStatistics().used_heap_size;
};

const config = await loadKubeconfig({ env: {}, homeDir: '/nonexistent', path: kubeconfig });
await using connection = await config.connect(config.currentContext ?? '');
await using reflector = new Reflector({ client: new KubeClient(connection), resource: sessions });
const before = used();
const cpuBefore = process.cpuUsage();
const from = performance.now();
reflector.start();
await reflector.synced();
const syncedMs = performance.now() - from;
const cpu = process.cpuUsage(cpuBefore);
console.log(
  JSON.stringify({
    objects: reflector.store.size,
    syncedMs: Math.round(syncedMs),
    cpuMs: Math.round((cpu.user + cpu.system) / 1000),
    heapBefore: before,
    heapAfter: used(),
    heapLimit: getHeapStatistics().heap_size_limit,
    rss: process.memoryUsage.rss(),
    requests: connection.requests,
  }),
);
