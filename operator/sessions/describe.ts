/** Sessions as the REST API shows them. */
import type { SessionArtifact, SessionDetail, SessionSummary } from '../../common/api/rest/session.ts';
import type { Artifact } from '../../common/api/live.ts';
import type { GeneratedArtifact, Session } from '../../common/api/session.ts';

const STATES = {
  Pending: 'pending',
  Running: 'running',
  Completed: 'completed',
  Failed: 'failed',
} as const;

export type SessionState = SessionSummary['status'];

export const stateOf = ({ status }: Session): SessionState => STATES[status?.phase ?? 'Pending'];

export function summaryOf(session: Session): SessionSummary {
  const { metadata, spec, status } = session;
  const { source = 'manual', event } = spec.trigger ?? {};
  const { generated = [], count = generated.length } = status?.artifacts ?? {};
  return {
    id: metadata.name,
    namespace: metadata.namespace ?? '',
    status: stateOf(session),
    framework: spec.framework.type,
    trigger: { source, ...(event === undefined ? {} : { event }) },
    createdAt: createdAt(session),
    updatedAt: updatedAt(session),
    artifactCount: count,
    ...(spec.displayName === undefined ? {} : { displayName: spec.displayName }),
    ...(status?.message === undefined ? {} : { message: status.message }),
  };
}

export interface DetailOptions {
  history: boolean;
  artifacts: boolean;
  /** Undefined where the caller may not download. */
  downloadUrl: (location: string) => string | undefined;
}

export function detailOf(session: Session, options: DetailOptions): SessionDetail {
  const { spec, status } = session;
  const { workload = {}, cost, result } = status ?? {};
  const {
    podName,
    jobName,
    resources = {},
    startTime,
    completionTime,
    exitCode,
    runtimeClassName,
  } = workload;
  const history = options.history ? (status?.history ?? []) : [];
  const artifacts = options.artifacts ? (status?.artifacts?.generated ?? []) : [];
  return {
    ...summaryOf(session),
    spec,
    history: history.map(({ timestamp, event, data = {}, actor }) => ({ timestamp, event, data, actor })),
    artifacts: artifacts.map((each) => artifactOf(each, options.downloadUrl(each.location))),
    workload: {
      ...(podName === undefined ? {} : { podName }),
      ...(jobName === undefined ? {} : { jobName }),
      resources,
      ...(runtimeClassName === undefined ? {} : { runtimeClassName }),
      ...(startTime === undefined ? {} : { startTime }),
      ...(completionTime === undefined ? {} : { completionTime }),
      ...(exitCode === undefined ? {} : { exitCode }),
    },
    ...(result === undefined ? {} : { result }),
    ...(cost === undefined
      ? {}
      : {
          cost: {
            total: cost.total,
            ...(cost.breakdown === undefined ? {} : { breakdown: cost.breakdown }),
          },
        }),
  };
}

export function artifactOf(
  { type, location, size, contentType, createdAt, metadata = {} }: GeneratedArtifact,
  downloadUrl: string | undefined,
): SessionArtifact {
  const link = downloadUrl === undefined ? {} : { downloadUrl };
  return { type, location, ...link, size, contentType, createdAt, metadata };
}

export const storedArtifactOf = (
  { path, type, size, contentType, createdAt, digest }: Artifact,
  downloadUrl: string | undefined,
): SessionArtifact =>
  artifactOf({ type, location: path, size, contentType, createdAt, metadata: { digest } }, downloadUrl);

const createdAt = ({ metadata }: Session): string => metadata.creationTimestamp ?? new Date(0).toISOString();

/** Of everything in status that carries a time, the latest. */
function updatedAt(session: Session): string {
  const { status } = session;
  const times = [
    ...(status?.conditions ?? []).map(({ lastTransitionTime }) => lastTransitionTime),
    status?.history?.at(-1)?.timestamp,
    status?.workload?.startTime,
    status?.workload?.completionTime,
    status?.stop?.requestedAt,
    status?.approval?.at,
  ];
  let latest = createdAt(session);
  for (const time of times) if (time !== undefined && Date.parse(time) > Date.parse(latest)) latest = time;
  return latest;
}
