/** What each webhook of manifests/operator/60-admission.yaml answers. Their names are the last part of their paths. */
import type { KubeStatus } from '../../../common/api/kubernetes.ts';
import { GROUP } from '../../../common/api/names.ts';
import { AmbientError, CATALOGUE } from '../../../common/errors.ts';
import type { Act, Admission, Governed, Violation } from '../../sessions/admission.ts';
import { fieldOf } from './review.ts';
import type { Decision, JsonPatchAdd, ReviewRequest } from './review.ts';

export const WEBHOOKS = [
  'created-by.sessions.ambient.ai',
  'policy.sessions.ambient.ai',
  'config.namespacepolicies.ambient.ai',
  'config.sessiontriggers.ambient.ai',
  'deletion.ambient.ai',
] as const;
const GOVERNED = ['sessions', 'namespacepolicies', 'sessiontriggers'] as const satisfies readonly Governed[];
export type Webhook = (typeof WEBHOOKS)[number];

export const webhookOf = (name: string | undefined): Webhook | undefined =>
  WEBHOOKS.find((each) => each === name);

/** Throws invalid_request for a request that the webhook is not for. Errors that are for whoever asked become refusals. */
export async function decide(
  admission: Admission,
  webhook: Webhook,
  request: ReviewRequest,
  traceId: string,
): Promise<Decision> {
  try {
    return await answer(admission, webhook, request, traceId);
  } catch (error) {
    if (!(error instanceof AmbientError) || error.code === 'invalid_request') throw error;
    return { refusal: refusalOf(error, [...fieldsIn(error), { reason: 'traceId', message: traceId }]) };
  }
}

async function answer(
  admission: Admission,
  webhook: Webhook,
  request: ReviewRequest,
  traceId: string,
): Promise<Decision> {
  const act = actOf(request, traceId);
  const { object } = request;
  switch (webhook) {
    case 'created-by.sessions.ambient.ai': {
      expect(request, ['sessions'], ['CREATE']);
      const spec = fieldOf(object, 'spec');
      // The schema, which is asked later, refuses what has no spec.
      if (typeof spec !== 'object' || spec === null || Array.isArray(spec)) return {};
      const createdBy = admission.createdBy(fieldOf(spec, 'createdBy'), act.by);
      const finalizers = admission.finalizers(fieldOf(fieldOf(object, 'metadata'), 'finalizers'));
      const patch: JsonPatchAdd[] = [];
      if (createdBy !== undefined) patch.push({ op: 'add', path: '/spec/createdBy', value: createdBy });
      if (finalizers !== undefined)
        patch.push({ op: 'add', path: '/metadata/finalizers', value: finalizers });
      return patch.length === 0 ? {} : { patch };
    }
    case 'policy.sessions.ambient.ai': {
      expect(request, ['sessions'], ['CREATE']);
      const { violations, warnings } = await admission.judge(act, fieldOf(object, 'spec'));
      return violations.length === 0 ? { warnings } : { refusal: forbidden(violations) };
    }
    case 'config.namespacepolicies.ambient.ai': {
      expect(request, ['namespacepolicies'], ['CREATE', 'UPDATE']);
      const action = request.operation === 'CREATE' ? 'create' : 'update';
      return { warnings: await admission.policyWarnings(act, action, fieldOf(object, 'spec')) };
    }
    case 'config.sessiontriggers.ambient.ai': {
      expect(request, ['sessiontriggers'], ['CREATE', 'UPDATE']);
      const action = request.operation === 'CREATE' ? 'create' : 'update';
      return { warnings: await admission.triggerWarnings(act, action, fieldOf(object, 'spec')) };
    }
    case 'deletion.ambient.ai': {
      expect(request, GOVERNED, ['DELETE']);
      const resource = GOVERNED.find((each) => each === request.resource.resource) ?? 'sessions';
      return { warnings: await admission.deletion(act, resource) };
    }
  }
}

function expect(
  { resource, subResource = '', operation }: ReviewRequest,
  resources: readonly string[],
  operations: readonly string[],
): void {
  const isOurs =
    resource.group === GROUP &&
    resources.includes(resource.resource) &&
    subResource === '' &&
    operations.includes(operation);
  if (isOurs) return;
  throw new AmbientError(
    'invalid_request',
    `this webhook is for ${operations.join(' and ')} of ${resources.join(' and ')}, not for ${operation} of ${resource.resource}`,
  );
}

function actOf(request: ReviewRequest, traceId: string): Act {
  const { namespace = '', dryRun, userInfo } = request;
  const metadata = fieldOf(request.object ?? request.oldObject, 'metadata');
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
  return {
    namespace,
    name: text(fieldOf(metadata, 'name')) ?? request.name ?? '',
    uid: text(fieldOf(metadata, 'uid')),
    by: { name: userInfo.username ?? '', uid: userInfo.uid, groups: userInfo.groups ?? [] },
    dryRun: dryRun === true,
    traceId,
  };
}

type Cause = NonNullable<NonNullable<KubeStatus['details']>['causes']>[number];

const refusalOf = (error: AmbientError, causes: Cause[]): KubeStatus => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  code: CATALOGUE[error.code].status,
  reason: CATALOGUE[error.code].reason,
  message: error.message,
  details: {
    group: GROUP,
    kind: 'sessions',
    causes: [{ reason: error.code, message: error.remedy }, ...causes],
  },
});

/** The fields that an error names, for programs. */
function fieldsIn({ details, message }: AmbientError): Cause[] {
  const { reason, fields } = details;
  if (!Array.isArray(fields)) return [];
  return fields
    .filter((field) => typeof field === 'string')
    .map((field) => ({ reason: typeof reason === 'string' ? reason : 'invalid', field, message }));
}

/** The sentence for people, and for programs a cause each: the rule, and the field that breaks it. */
const forbidden = (violations: readonly Violation[]): KubeStatus =>
  refusalOf(
    new AmbientError('policy_violation', violations.map(({ message }) => message).join(' ')),
    violations.map(({ rule, field, message }) => ({ reason: rule, field, message })),
  );
