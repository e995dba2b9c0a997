/**
 * Everything of common/kube that is heavy to load, behind one door: `await import('./kube.ts')` makes it a chunk that
 * loads on first use. Elsewhere in the extension, import only types from common/kube (and its light errors.ts).
 */
export { KubeClient } from '../../common/kube/client.ts';
export { loadKubeconfig } from '../../common/kube/kubeconfig.ts';
export { Reflector } from '../../common/kube/reflector.ts';
