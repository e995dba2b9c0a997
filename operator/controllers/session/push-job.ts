/**
 * The Job that pushes what a session has changed. Its pod has the Secret, the patch and the runner, in an image that the Framework
 * itself names; no agent has ever been in it. It is no workload of the session: a label keeps it apart.
 */
import {
  ANNOTATION_RUN,
  API_VERSION,
  LABEL_MANAGED_BY,
  LABEL_SESSION,
  LABEL_SESSION_UID,
  LABEL_STEP,
  MANAGED_BY,
  PUSH_TOKEN_AUDIENCE,
  RUNNER_SERVICE_ACCOUNT,
} from '../../../common/api/names.ts';
import { PUSH_STEP } from '../../../common/api/push.ts';
import type { PushDescription } from '../../../common/api/push.ts';
import { MOUNTS, RUN_API_VERSION, STEP_VARIABLE } from '../../../common/api/runner.ts';
import type { Session } from '../../../common/api/session.ts';
import type { Job } from '../../../common/kube/core-types.ts';
import type { RunPlan } from '../../../common/rules/admission.ts';
import { titleOf } from '../../../common/rules/results.ts';
import { oneLine } from '../../../common/rules/wording.ts';
import { CONTAINER_SECURITY, controlVolume, POD_SECURITY } from './job.ts';

/** Each waits twice as long as the one before, from ten seconds: five minutes and the time of the pods. */
export const PUSH_ATTEMPTS = 6;
/** For an image that cannot be pulled, and the like. */
const DEADLINE_SECONDS = 3600;
/** For people to look at its log. */
const KEPT_SECONDS = 3600;
const EMAIL = 'session@ambient.invalid';
const LIMITS = { cpu: '1', memory: '1Gi' } as const;
const REQUESTS = { cpu: '50m', memory: '64Mi' } as const;
const SIZE = '10Gi';

/** Derived from the UID alone, as that of its workload. */
export const pushJobNameOf = (uid: string): string => `ambient-push-${uid}`;

export interface PushFacts {
  plan: RunPlan;
  /** That the session began with. */
  commit: string;
  branches: string[];
  /** Name of the Secret. */
  credentials: string;
  endpoint: { url: string; ca: string };
}

/** Depends on the session alone, so that every attempt makes the same commit. */
function describePush(
  session: Session,
  { plan, commit, branches, credentials, endpoint }: PushFacts,
): PushDescription {
  const { metadata, spec, status } = session;
  const { namespace = '', name, uid = '' } = metadata;
  const { url = '' } = spec.source?.git ?? {};
  // The branch that a resumed session began with, for a pull request; its own source is a commit of it.
  const ref = spec.resume?.ref ?? spec.source?.git?.ref;
  const trailers = [`Ambient-Session: ${namespace}/${name}`, `Ambient-Session-UID: ${uid}`];
  if (spec.createdBy !== undefined) trailers.push(`Ambient-Launched-By: ${oneLine(spec.createdBy.user)}`);
  return {
    apiVersion: RUN_API_VERSION,
    session: { namespace, name, uid },
    source: { url, commit, ...(ref === undefined ? {} : { ref }) },
    credentials,
    branches,
    commit: {
      author: { name: `Ambient session ${name}`, email: EMAIL },
      at: status?.workload?.completionTime ?? metadata.creationTimestamp ?? '',
      message: `${titleOf(session)}\n\n${trailers.join('\n')}\n`,
    },
    env: plan.env,
    endpoint,
  };
}

/** @param runtimeClassName that of the session's own pod */
export function buildPushJob(session: Session, facts: PushFacts, runtimeClassName: string | undefined): Job {
  const { name, namespace = '', uid = '' } = session.metadata;
  const { plan, credentials } = facts;
  const { image, imagePullPolicy } = plan.sidecar ?? plan;
  const labels = {
    [LABEL_MANAGED_BY]: MANAGED_BY,
    [LABEL_SESSION]: name,
    [LABEL_SESSION_UID]: uid,
    [LABEL_STEP]: PUSH_STEP,
  };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: pushJobNameOf(uid),
      namespace,
      labels,
      ownerReferences: [{ apiVersion: API_VERSION, kind: 'Session', name, uid, controller: true }],
    },
    spec: {
      backoffLimit: PUSH_ATTEMPTS - 1,
      activeDeadlineSeconds: DEADLINE_SECONDS,
      ttlSecondsAfterFinished: KEPT_SECONDS,
      template: {
        metadata: { labels, annotations: { [ANNOTATION_RUN]: JSON.stringify(describePush(session, facts)) } },
        spec: {
          restartPolicy: 'Never',
          serviceAccountName: RUNNER_SERVICE_ACCOUNT,
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          ...(runtimeClassName === undefined ? {} : { runtimeClassName }),
          securityContext: POD_SECURITY,
          containers: [
            {
              name: PUSH_STEP,
              image,
              ...(imagePullPolicy === undefined ? {} : { imagePullPolicy }),
              workingDir: MOUNTS.temporary,
              env: [{ name: STEP_VARIABLE, value: PUSH_STEP }],
              resources: { limits: { ...LIMITS }, requests: { ...REQUESTS } },
              securityContext: CONTAINER_SECURITY,
              terminationMessagePolicy: 'FallbackToLogsOnError',
              volumeMounts: [
                { name: 'control', mountPath: MOUNTS.control, readOnly: true },
                { name: 'temporary', mountPath: MOUNTS.temporary },
                { name: 'git-credentials', mountPath: MOUNTS.gitCredentials, readOnly: true },
              ],
            },
          ],
          volumes: [
            controlVolume([{ audience: PUSH_TOKEN_AUDIENCE, seconds: DEADLINE_SECONDS, at: MOUNTS.token }]),
            { name: 'temporary', emptyDir: { sizeLimit: SIZE } },
            // Optional: that it is missing is told by the session instead of by a pod that never starts.
            {
              name: 'git-credentials',
              secret: { secretName: credentials, optional: true, defaultMode: 0o440 },
            },
          ],
        },
      },
    },
  };
}
