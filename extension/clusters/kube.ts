/**
 * Everything of common/kube that is heavy to load, behind one door: `await import('./kube.ts')` makes it a chunk that
 * loads apart from the rest. Elsewhere in the extension, import only types from common/kube (and its light errors.ts).
 */
// Every kubeconfig needs it: with the others it is there at once.
import '../../common/kube/yaml.ts';

export { KubeClient } from '../../common/kube/client.ts';
export { loadKubeconfig } from '../../common/kube/kubeconfig.ts';
export { Reflector } from '../../common/kube/reflector.ts';
