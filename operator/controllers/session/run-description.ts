/** What the runner is told of its session: the content of /ambient/session.json (contract: common/api/runner.ts). */
import { RUN_API_VERSION } from '../../../common/api/runner.ts';
import type { RunDescription } from '../../../common/api/runner.ts';
import type { Session } from '../../../common/api/session.ts';
import type { RunPlan } from '../../../common/rules/admission.ts';
import { fetchedOf, inputsOf } from '../../../common/rules/inputs.ts';
import type { SessionPolicy } from '../../../common/rules/policy/narrow.ts';

/**
 * All annotations of a pod together have at most 256 KiB (apimachinery's TotalAnnotationSizeLimitB); admission of the
 * cluster may add some of its own.
 */
export const RUN_DESCRIPTION_BYTES_MAX = 240 * 1024;

export function describeRun(
  session: Session,
  plan: RunPlan,
  endpoint: { url: string; ca: string },
  { restrictions, tools }: Pick<SessionPolicy, 'restrictions' | 'tools'>,
): RunDescription {
  const { metadata, spec } = session;
  const { type = 'none', upload, git } = spec.source ?? {};
  const inputs = fetchedOf(inputsOf(spec).inputs);
  return {
    apiVersion: RUN_API_VERSION,
    session: {
      namespace: metadata.namespace ?? '',
      name: metadata.name,
      uid: metadata.uid ?? '',
      ...(spec.displayName === undefined ? {} : { displayName: spec.displayName }),
    },
    framework: { type: plan.framework, version: plan.version, config: plan.config },
    command: plan.command,
    env: plan.env,
    eventFormat: plan.eventFormat,
    ...(plan.input === 'none' ? {} : { input: plan.input }),
    source: {
      type,
      ...(upload === undefined ? {} : { upload: { sizeBytes: upload.sizeBytes, digest: upload.digest } }),
      ...(git === undefined ? {} : { git }),
    },
    ...(inputs.length === 0 ? {} : { inputs }),
    ...(spec.resume === undefined ? {} : { resume: { session: spec.resume.session } }),
    limits: {
      timeoutSeconds: plan.limits.timeoutSeconds,
      gracePeriodSeconds: plan.limits.gracePeriodSeconds,
      ...(plan.limits.idleSeconds === undefined ? {} : { idleSeconds: plan.limits.idleSeconds }),
    },
    ...(Object.values(restrictions).includes(true) ? { restrictions } : {}),
    ...(tools.allowed.length + tools.blocked.length === 0
      ? {}
      : { tools: { allowed: tools.allowed.map((globs) => [...globs]), blocked: [...tools.blocked] } }),
    ...(plan.models.length === 0 ? {} : { models: plan.models }),
    endpoint,
  };
}
