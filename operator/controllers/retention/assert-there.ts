/** A store that is away, as a volume that is not mounted, looks empty to whoever removes: nothing counts as removed there. */
import { isAmbientError } from '../../../common/errors.ts';
import type { ArtifactStore } from '../../store/store.ts';

/** Throws storage_unavailable. A full store is there: removing is what helps it. */
export async function assertThere(store: ArtifactStore): Promise<void> {
  try {
    await store.check();
  } catch (error) {
    if (!isAmbientError(error, 'storage_full')) throw error;
  }
}
