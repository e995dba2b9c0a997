/** Commands about one namespace: the one they were asked on, or the one that is picked; what fails is told, with what it was. */
import type { PolicyRef } from '../../common/api/panels.ts';
import type { Rights } from '../clusters/rights.ts';
import type { Notify } from '../ide/notify.ts';
import { Cancelled } from './progress.ts';

export interface InNamespaceDeps {
  rights: Pick<Rights, 'forget'>;
  notify: Pick<Notify, 'failed'>;
  /** Asks for cluster and namespace; undefined when cancelled. */
  pickNamespace: () => Promise<PolicyRef | undefined>;
}

/** Never rejects. `doing` completes "Could not …". */
export async function inNamespace(
  { rights, notify, pickNamespace }: InNamespaceDeps,
  doing: string,
  given: PolicyRef | undefined,
  run: (ref: PolicyRef) => Promise<void>,
): Promise<void> {
  let ref = given;
  try {
    ref ??= await pickNamespace();
    if (ref !== undefined) await run(ref);
  } catch (error) {
    if (error instanceof Cancelled) return;
    // The refusal may be news about what one may.
    if (ref !== undefined) rights.forget(ref.cluster, ref.namespace);
    notify.failed(doing, error, ref?.cluster);
  }
}
