/** The Job of a pod that is kept ready: that of a session, with nobody's name in it. */
import { ANNOTATION_RUN, API_VERSION, LABEL_WARM, MODELS_TOKEN_AUDIENCE } from '../../../common/api/names.ts';
import type { NamespacePolicy } from '../../../common/api/namespace-policy.ts';
import { RUN_API_VERSION } from '../../../common/api/runner.ts';
import type { WaitDescription } from '../../../common/api/runner.ts';
import type { Job, Volume } from '../../../common/kube/core-types.ts';
import { WARM_AGE_MS, WARM_OVERLAP_MS } from '../../../common/rules/warm-pods.ts';
import type { Endpoint, Template } from './template.ts';

export function warmJob(
  { job, digest }: Template,
  policy: NamespacePolicy,
  endpoint: Endpoint,
  random: () => number,
): Job {
  const { template } = job.spec;
  const { activeDeadlineSeconds: _set, volumes = [], ...spec } = template.spec;
  const wait: WaitDescription = { apiVersion: RUN_API_VERSION, waits: true, endpoint };
  const { apiVersion, kind, metadata } = { ...policy, apiVersion: API_VERSION, kind: 'NamespacePolicy' };
  const { name, uid = '' } = metadata;
  return {
    ...job,
    metadata: {
      ...job.metadata,
      name: `ambient-warm-${digest.slice(0, 8)}-${suffix(random)}`,
      labels: { ...job.metadata.labels, [LABEL_WARM]: digest },
      ownerReferences: [{ apiVersion, kind, name, uid, controller: true }],
    },
    spec: {
      ...job.spec,
      template: {
        metadata: {
          labels: { ...template.metadata?.labels, [LABEL_WARM]: digest },
          annotations: { [ANNOTATION_RUN]: JSON.stringify(wait) },
        },
        spec: { ...spec, volumes: volumes.map(withOlderKeys) },
      },
    },
  };
}

const SUFFIX_CHARACTERS = 10;
const suffix = (random: () => number): string =>
  Array.from({ length: SUFFIX_CHARACTERS }, () => Math.floor(random() * 36).toString(36)).join('');

const WAIT_SECONDS = (WARM_AGE_MS + WARM_OVERLAP_MS) / 1000;

/** Commands read their key to models once, after the pod has waited. */
function withOlderKeys(volume: Volume): Volume {
  const { projected } = volume;
  if (projected === undefined) return volume;
  const sources = projected.sources.map((source) => {
    const token = source.serviceAccountToken;
    return token?.audience !== MODELS_TOKEN_AUDIENCE
      ? source
      : {
          serviceAccountToken: {
            ...token,
            expirationSeconds: (token.expirationSeconds ?? 3600) + WAIT_SECONDS,
          },
        };
  });
  return { ...volume, projected: { ...projected, sources } };
}
