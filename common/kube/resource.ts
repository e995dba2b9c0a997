/** The resources this project speaks of, and the one place that builds their URL paths. */
import type { Framework } from '../api/framework.ts';
import type { KubeObject } from '../api/kubernetes.ts';
import type { NamespacePolicy } from '../api/namespace-policy.ts';
import type { Session } from '../api/session.ts';
import type { SessionTrigger } from '../api/session-trigger.ts';
import { GROUP, VERSION } from '../api/names.ts';
import type {
  ApiService,
  ConfigMap,
  CustomResourceDefinition,
  Deployment,
  EndpointSlice,
  Event,
  Job,
  Lease,
  Namespace,
  NetworkPolicy,
  Node,
  PersistentVolumeClaim,
  Pod,
  RuntimeClass,
  Secret,
  Service,
  ServiceAccount,
  WebhookConfiguration,
} from './core-types.ts';

export interface Resource<T extends KubeObject> {
  /** '' for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Never set: carries the type of the resource's objects. */
  readonly objectType?: T;
}

const namespacedResource = <T extends KubeObject>(
  group: string,
  version: string,
  plural: string,
  kind: string,
) => ({ group, version, plural, kind, namespaced: true }) as Resource<T>;
const clusterResource = <T extends KubeObject>(
  group: string,
  version: string,
  plural: string,
  kind: string,
) => ({ group, version, plural, kind, namespaced: false }) as Resource<T>;

export const sessions = namespacedResource<Session>(GROUP, VERSION, 'sessions', 'Session');
export const namespacePolicies = namespacedResource<NamespacePolicy>(
  GROUP,
  VERSION,
  'namespacepolicies',
  'NamespacePolicy',
);
export const sessionTriggers = namespacedResource<SessionTrigger>(
  GROUP,
  VERSION,
  'sessiontriggers',
  'SessionTrigger',
);
export const frameworks = clusterResource<Framework>(GROUP, VERSION, 'frameworks', 'Framework');

export const namespaces = clusterResource<Namespace>('', 'v1', 'namespaces', 'Namespace');
export const nodes = clusterResource<Node>('', 'v1', 'nodes', 'Node');
export const pods = namespacedResource<Pod>('', 'v1', 'pods', 'Pod');
export const secrets = namespacedResource<Secret>('', 'v1', 'secrets', 'Secret');
export const configMaps = namespacedResource<ConfigMap>('', 'v1', 'configmaps', 'ConfigMap');
export const serviceAccounts = namespacedResource<ServiceAccount>(
  '',
  'v1',
  'serviceaccounts',
  'ServiceAccount',
);
export const networkPolicies = namespacedResource<NetworkPolicy>(
  'networking.k8s.io',
  'v1',
  'networkpolicies',
  'NetworkPolicy',
);
export const services = namespacedResource<Service>('', 'v1', 'services', 'Service');
export const persistentVolumeClaims = namespacedResource<PersistentVolumeClaim>(
  '',
  'v1',
  'persistentvolumeclaims',
  'PersistentVolumeClaim',
);
export const jobs = namespacedResource<Job>('batch', 'v1', 'jobs', 'Job');
export const deployments = namespacedResource<Deployment>('apps', 'v1', 'deployments', 'Deployment');
export const leases = namespacedResource<Lease>('coordination.k8s.io', 'v1', 'leases', 'Lease');
export const events = namespacedResource<Event>('events.k8s.io', 'v1', 'events', 'Event');
export const endpointSlices = namespacedResource<EndpointSlice>(
  'discovery.k8s.io',
  'v1',
  'endpointslices',
  'EndpointSlice',
);
export const runtimeClasses = clusterResource<RuntimeClass>(
  'node.k8s.io',
  'v1',
  'runtimeclasses',
  'RuntimeClass',
);
export const apiServices = clusterResource<ApiService>(
  'apiregistration.k8s.io',
  'v1',
  'apiservices',
  'APIService',
);
export const customResourceDefinitions = clusterResource<CustomResourceDefinition>(
  'apiextensions.k8s.io',
  'v1',
  'customresourcedefinitions',
  'CustomResourceDefinition',
);
export const mutatingWebhookConfigurations = clusterResource<WebhookConfiguration>(
  'admissionregistration.k8s.io',
  'v1',
  'mutatingwebhookconfigurations',
  'MutatingWebhookConfiguration',
);
export const validatingWebhookConfigurations = clusterResource<WebhookConfiguration>(
  'admissionregistration.k8s.io',
  'v1',
  'validatingwebhookconfigurations',
  'ValidatingWebhookConfiguration',
);

export const apiVersionOf = (resource: { group: string; version: string }): string =>
  resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;

export type Query = Record<string, string | number | boolean | undefined>;

export interface PathParts {
  namespace?: string | undefined;
  name?: string | undefined;
  subresource?: string | undefined;
  query?: Query | undefined;
}

/**
 * The path and query of a resource, of one object or of its subresource. Every part is escaped, so a name with `/`
 * or `..` names an object that does not exist rather than another path. Throws RangeError for a name that is empty
 * or a dot segment, which no escaping can carry, and for an object of a namespaced resource without its namespace.
 */
export function resourcePath<T extends KubeObject>(resource: Resource<T>, parts: PathParts = {}): string {
  let path =
    resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  if (resource.namespaced && parts.namespace !== undefined && parts.namespace !== '') {
    path += `/namespaces/${segment(parts.namespace)}`;
  } else if (resource.namespaced && parts.name !== undefined) {
    throw new RangeError(`${resource.kind} ${parts.name} needs a namespace`);
  }
  path += `/${resource.plural}`;
  if (parts.name !== undefined) path += `/${segment(parts.name)}`;
  if (parts.subresource !== undefined) path += `/${parts.subresource}`;
  return parts.query === undefined ? path : path + queryText(parts.query);
}

const OBJECT_PATH =
  /^\/(?:api|apis\/[^/]+)\/[^/]+\/(?:namespaces\/[^/]+\/(?!status$|finalize$))?([^/]+)(?:\/[^/]+(?:\/(.+))?)?$/;

/** The resource a path is about, the way rules of RBAC name it: `pods`, `sessions/status`; '' for what is none. */
export function resourceIn(path: string): string {
  const [, plural = '', subresource] = OBJECT_PATH.exec(path.split('?', 1)[0] ?? '') ?? [];
  // What follows a proxy is the path of another server.
  return subresource === undefined ? plural : `${plural}/${subresource.split('/', 1)[0] ?? ''}`;
}

function segment(text: string): string {
  if (text === '' || text === '.' || text === '..')
    throw new RangeError(`not a name: ${JSON.stringify(text)}`);
  return encodeURIComponent(text);
}

/** `?a=b&c=d`, or nothing when every value is undefined. */
export function queryText(query: Query): string {
  let text = '';
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    text += `${text === '' ? '?' : '&'}${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
  }
  return text;
}
