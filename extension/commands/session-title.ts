/** What people call a session, for questions about it. */
import { sessions } from '../../common/kube/resource.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { titleOf } from '../sessions/state.ts';
import type { CommandContext } from './context.ts';

/** Its display name; its object name where it cannot be asked for. As it came: show it through `plain`. */
export async function sessionTitle({ clusters }: CommandContext, ref: SessionRef): Promise<string> {
  try {
    const client = await clusters.client(ref.cluster);
    return titleOf(await client.get(sessions, ref, { signal: AbortSignal.timeout(3000) }));
  } catch {
    return ref.name;
  }
}
