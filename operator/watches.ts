/** What the operator watches, on every replica: doors and controllers read the same stores. */
import { LABEL_SESSION_UID, RUNNER_NETWORK_POLICY, RUNNER_SERVICE_ACCOUNT } from '../common/api/names.ts';
import type { Framework } from '../common/api/framework.ts';
import type { NamespacePolicy } from '../common/api/namespace-policy.ts';
import type { Session } from '../common/api/session.ts';
import type { SessionTrigger } from '../common/api/session-trigger.ts';
import type { KubeClient } from '../common/kube/client.ts';
import type {
  EndpointSlice,
  Job,
  Namespace,
  NetworkPolicy,
  Pod,
  Service,
  ServiceAccount,
} from '../common/kube/core-types.ts';
import { Reflector } from '../common/kube/reflector.ts';
import * as resources from '../common/kube/resource.ts';
import { dropManagedFields } from '../common/kube/trim.ts';
import { byUid, UID_INDEX } from './controllers/session/cleanup.ts';
import { bySessionUid, SESSION_INDEX, trimJob, trimPod, trimSession } from './controllers/session/index.ts';
import { byTrigger, TRIGGER_INDEX } from './controllers/triggers/index.ts';
import { byWarmNamespace, WARM_INDEX } from './controllers/warm/index.ts';
import { byPhase, PHASE_INDEX } from './metrics.ts';
import {
  byWebhookHash,
  byWebhookId,
  WEBHOOK_HASH_INDEX,
  WEBHOOK_ID_INDEX,
} from './sessions/webhooks/keys.ts';

export interface Watches {
  sessions: Reflector<Session>;
  jobs: Reflector<Job>;
  pods: Reflector<Pod>;
  frameworks: Reflector<Framework>;
  namespaces: Reflector<Namespace>;
  namespacePolicies: Reflector<NamespacePolicy>;
  sessionTriggers: Reflector<SessionTrigger>;
  serviceAccounts: Reflector<ServiceAccount>;
  networkPolicies: Reflector<NetworkPolicy>;
  /** Of the API server. */
  services: Reflector<Service>;
  endpointSlices: Reflector<EndpointSlice>;
}

export function makeWatches(client: KubeClient, onError: (error: unknown) => void): Watches {
  const ofSessions = {
    labelSelector: LABEL_SESSION_UID,
    indexes: { [SESSION_INDEX]: bySessionUid, [WARM_INDEX]: byWarmNamespace },
  };
  const ofApiServer = { namespace: 'default', fieldSelector: 'metadata.name=kubernetes' };
  return {
    sessions: new Reflector({
      client,
      resource: resources.sessions,
      trim: trimSession,
      indexes: { [UID_INDEX]: byUid, [PHASE_INDEX]: byPhase, [TRIGGER_INDEX]: byTrigger },
      onError,
    }),
    jobs: new Reflector({ client, resource: resources.jobs, trim: trimJob, ...ofSessions, onError }),
    pods: new Reflector({ client, resource: resources.pods, trim: trimPod, ...ofSessions, onError }),
    frameworks: new Reflector({ client, resource: resources.frameworks, onError }),
    namespaces: new Reflector({ client, resource: resources.namespaces, trim: onlyName, onError }),
    namespacePolicies: new Reflector({
      client,
      resource: resources.namespacePolicies,
      trim: dropManagedFields,
      indexes: { [WEBHOOK_HASH_INDEX]: byWebhookHash, [WEBHOOK_ID_INDEX]: byWebhookId },
      onError,
    }),
    sessionTriggers: new Reflector({
      client,
      resource: resources.sessionTriggers,
      trim: dropManagedFields,
      onError,
    }),
    serviceAccounts: new Reflector({
      client,
      resource: resources.serviceAccounts,
      fieldSelector: `metadata.name=${RUNNER_SERVICE_ACCOUNT}`,
      onError,
    }),
    networkPolicies: new Reflector({
      client,
      resource: resources.networkPolicies,
      fieldSelector: `metadata.name=${RUNNER_NETWORK_POLICY}`,
      onError,
    }),
    services: new Reflector({ client, resource: resources.services, ...ofApiServer, onError }),
    endpointSlices: new Reflector({ client, resource: resources.endpointSlices, ...ofApiServer, onError }),
  };
}

/** All that is asked of a namespace is whether it is there. */
const onlyName = ({ apiVersion, kind, metadata: { name, resourceVersion } }: Namespace): Namespace => ({
  apiVersion,
  kind,
  metadata: { name, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
});

/** With the name of what each watches. The kinds differ; who takes all of them looks only at their state. */
export const allOf = ({
  sessions,
  jobs,
  pods,
  frameworks,
  namespaces,
  namespacePolicies,
  sessionTriggers,
  serviceAccounts,
  networkPolicies,
  services,
  endpointSlices,
}: Watches) => [
  { resource: 'sessions', reflector: sessions },
  { resource: 'jobs', reflector: jobs },
  { resource: 'pods', reflector: pods },
  { resource: 'frameworks', reflector: frameworks },
  { resource: 'namespaces', reflector: namespaces },
  { resource: 'namespacepolicies', reflector: namespacePolicies },
  { resource: 'sessiontriggers', reflector: sessionTriggers },
  { resource: 'serviceaccounts', reflector: serviceAccounts },
  { resource: 'networkpolicies', reflector: networkPolicies },
  { resource: 'services', reflector: services },
  { resource: 'endpointslices', reflector: endpointSlices },
];
