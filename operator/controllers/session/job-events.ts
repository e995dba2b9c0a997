/** Why a session gets no pod, or its pod does not start: Kubernetes says so only in events. Read live, and only in trouble. */
import type { KubeClient } from '../../../common/kube/client.ts';
import type { Event, Job, Pod } from '../../../common/kube/core-types.ts';
import { events } from '../../../common/kube/resource.ts';

/** The newest warning about the Job, if there is one. */
export async function lastWarningAbout(
  client: KubeClient,
  job: Job,
  signal: AbortSignal,
): Promise<string | undefined> {
  return inWords((await newestAbout(client, job, ',type=Warning', signal))?.note);
}

/** Of the kubelet: the pod has a node, and something it needs is not there. A mere image tells of itself in the pod's status. */
const NOT_STARTED: ReadonlySet<string> = new Set([
  'FailedCreatePodSandBox',
  'FailedMount',
  'FailedAttachVolume',
]);

/** Why the pod does not start, when that is the last thing that was said of it. */
export async function whyNotStarted(
  client: KubeClient,
  pod: Pod,
  signal: AbortSignal,
): Promise<string | undefined> {
  const newest = await newestAbout(client, pod, '', signal);
  return NOT_STARTED.has(newest?.reason ?? '') ? newest?.note : undefined;
}

async function newestAbout(
  client: KubeClient,
  { kind, metadata: { namespace = '', uid = '' } }: Job | Pod,
  more: string,
  signal: AbortSignal,
): Promise<Event | undefined> {
  const fieldSelector = `regarding.kind=${kind},regarding.uid=${uid}${more}`;
  const { items } = await client.list(events, { namespace }, { fieldSelector, signal });
  return items.reduce<Event | undefined>(
    (best, event) => (best === undefined || timeOf(event) >= timeOf(best) ? event : best),
    undefined,
  );
}

/** An event that is told again is the same object; older components have a field of their own for that. */
const timeOf = ({ series, deprecatedLastTimestamp, eventTime, metadata }: Event): string =>
  series?.lastObservedTime ?? deprecatedLastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? '';

/** What admission of RuntimeClasses says names neither whose wish it was nor who can help. */
function inWords(note: string | undefined): string | undefined {
  const runtimeClass = /RuntimeClass "([^"]+)" not found/.exec(note ?? '')?.[1];
  return runtimeClass === undefined
    ? note
    : `this cluster has no RuntimeClass "${runtimeClass}", which the session or its namespace's policy names. Whoever runs the cluster can install it.`;
}
