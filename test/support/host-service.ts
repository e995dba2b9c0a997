/** The operator's Service and APIService when the operator runs as a process on this machine instead of in a pod. */
import { OPERATOR_NAME, OPERATOR_NAMESPACE } from '../../common/api/names.ts';
import type { Cluster } from '../cluster/index.ts';
import { removeAdmission } from './admission.ts';

const inNamespace = ['-n', OPERATOR_NAMESPACE];
const LABEL = 'ambient.ai/host-process';
/** Clusters whose Service leads to this machine already. */
const onHost = new WeakSet<Cluster>();

/** Points the Service at processes on this machine. A deployment of the operator is scaled to nothing before. */
export async function useHostService(cluster: Cluster): Promise<void> {
  if (onHost.has(cluster)) return;
  const deployments = await cluster.kubectl([...inNamespace, 'get', 'deployment', '-o', 'name']);
  if (deployments.trim() !== '') {
    await cluster.kubectl([...inNamespace, 'scale', 'deployment', OPERATOR_NAME, '--replicas=0']);
    await cluster.kubectl(
      [
        ...inNamespace,
        ...['wait', '--for=delete', 'pod', '-l', `app.kubernetes.io/name=${OPERATOR_NAME}`, '--timeout=60s'],
      ],
      { timeoutMs: 70_000 },
    );
  }
  // Whoever tests without an operator, or without its admission, shall be able to create sessions.
  await removeAdmission(cluster);
  const labels = { 'app.kubernetes.io/name': OPERATOR_NAME };
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: OPERATOR_NAME, namespace: OPERATOR_NAMESPACE, labels },
    spec: {
      ports: [
        { name: 'live', port: 443 },
        { name: 'runners', port: 8444 },
        { name: 'admission', port: 8445 },
        { name: 'rest', port: 8447 },
      ],
    },
  };
  const apiService = {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: 'v1alpha1.live.ambient.ai', labels },
    spec: {
      group: 'live.ambient.ai',
      version: 'v1alpha1',
      groupPriorityMinimum: 1000,
      versionPriority: 15,
      service: { name: OPERATOR_NAME, namespace: OPERATOR_NAMESPACE, port: 443 },
    },
  };
  const list = { apiVersion: 'v1', kind: 'List', items: [service, apiService] };
  await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(list) });
  // apply leaves a selector that the manifest put there under another manager alone.
  await cluster.kubectl([
    ...inNamespace,
    'patch',
    'service',
    OPERATOR_NAME,
    '--type=merge',
    '-p',
    '{"spec":{"selector":null}}',
  ]);
  onHost.add(cluster);
}

/** One process behind the Service; each has ports of its own. */
export async function addHostEndpoint(
  cluster: Cluster,
  name: string,
  ports: { live: number; runners: number; admission: number; rest: number },
): Promise<AsyncDisposable> {
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name,
      namespace: OPERATOR_NAMESPACE,
      labels: { 'kubernetes.io/service-name': OPERATOR_NAME, [LABEL]: 'true' },
    },
    addressType: 'IPv4',
    endpoints: [{ addresses: [cluster.nodeHostAddress], conditions: { ready: true } }],
    ports: [
      { name: 'live', port: ports.live },
      { name: 'runners', port: ports.runners },
      { name: 'admission', port: ports.admission },
      { name: 'rest', port: ports.rest },
    ],
  };
  await cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(slice) });
  return {
    async [Symbol.asyncDispose]() {
      await cluster.kubectl([...inNamespace, 'delete', 'endpointslice', name, '--ignore-not-found']);
    },
  };
}

/** Leaves the Service to pods again; their manifest brings the selector back. */
export async function removeHostService(cluster: Cluster): Promise<void> {
  onHost.delete(cluster);
  const found = await cluster.kubectl([
    'get',
    'namespace',
    OPERATOR_NAMESPACE,
    '--ignore-not-found',
    '-o',
    'name',
  ]);
  if (found.trim() !== '')
    await cluster.kubectl([...inNamespace, 'delete', 'endpointslice', '-l', LABEL, '--ignore-not-found']);
}
