/** A directory store of its own for a test, gone afterwards. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DirectoryStore } from '../../operator/store/directory.ts';

export interface TemporaryStore extends AsyncDisposable {
  root: string;
  store: DirectoryStore;
}

export async function temporaryStore(now?: () => Date): Promise<TemporaryStore> {
  const root = await mkdtemp(join(tmpdir(), 'ambient-store-'));
  return {
    root,
    store: new DirectoryStore({ root, ...(now === undefined ? {} : { now }) }),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true, maxRetries: 5 }),
  };
}
