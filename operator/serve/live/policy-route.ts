/** Verbs of a namespace's policy: …/namespacepolicies/policy/{verb}. */
import { LIVE_GROUP, POLICY_NAME, VERSION } from '../../../common/api/names.ts';
import { AmbientError } from '../../../common/errors.ts';
import { parseTarget } from '../http/path.ts';

export interface PolicyRoute {
  verb: 'retention';
  namespace: string;
  query: URLSearchParams;
}

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Undefined for paths that are not a policy's. Throws not_found, unsafe_path. */
export function policyRouteOf(url: string): PolicyRoute | undefined {
  const { segments, query } = parseTarget(url);
  const [apis, group, version, namespaces, namespace = '', resource, name, verb, ...rest] = segments;
  if (resource !== 'namespacepolicies') return undefined;
  const isOurs =
    apis === 'apis' &&
    group === LIVE_GROUP &&
    version === VERSION &&
    namespaces === 'namespaces' &&
    LABEL.test(namespace) &&
    name === POLICY_NAME;
  if (!isOurs || verb !== 'retention' || rest.length > 0)
    throw new AmbientError('not_found', 'the live API has no such path');
  return { verb, namespace, query };
}
