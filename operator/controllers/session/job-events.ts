/** Why the Job controller does not get its pod made: it says so only in events. Read live, and only in trouble. */
import type { KubeClient } from '../../../common/kube/client.ts';
import type { Event, Job } from '../../../common/kube/core-types.ts';
import { events } from '../../../common/kube/resource.ts';

/** The newest warning about the Job, if there is one. */
export async function lastWarningAbout(
  client: KubeClient,
  job: Job,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { namespace = '', uid = '' } = job.metadata;
  const fieldSelector = `regarding.kind=Job,regarding.uid=${uid},type=Warning`;
  const { items } = await client.list(events, { namespace }, { fieldSelector, signal });
  const newest = items.reduce<Event | undefined>(
    (best, event) => (best === undefined || timeOf(event) >= timeOf(best) ? event : best),
    undefined,
  );
  return newest?.note;
}

const timeOf = (event: Event): string => event.eventTime ?? event.metadata.creationTimestamp ?? '';
