/** What a session has made, in the operator's store or in a folder that it was saved to. */
import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { text } from 'node:stream/consumers';
import { isAmbientError } from '../../../common/errors.ts';
import { keys, PROVENANCE_ARTIFACT } from '../../store/keys.ts';
import type { SessionRef } from '../../store/keys.ts';
import type { ArtifactStore } from '../../store/store.ts';
import type { Products } from './verify.ts';

const OWN = '.ambient/';

export function storedProducts(store: ArtifactStore, ref: SessionRef): Products {
  const prefix = keys.artifacts(ref);
  const read = async (path: string) => (await store.get(keys.artifact(ref, path))).body;
  return {
    paths: async () =>
      (await store.listKeys(prefix))
        .map((key) => key.slice(prefix.length))
        .filter((path) => !path.startsWith(OWN)),
    read,
    statement: async () => {
      try {
        return await text(await read(PROVENANCE_ARTIFACT));
      } catch (error) {
        if (isAmbientError(error, 'not_found')) return undefined;
        throw error;
      }
    },
  };
}

export function savedProducts(folder: string): Products {
  return {
    paths: async () =>
      (await readdir(folder, { recursive: true, withFileTypes: true }))
        .filter((entry) => !entry.isDirectory())
        .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
        .filter((path) => !path.startsWith(OWN)),
    read: (path) => Promise.resolve(createReadStream(join(folder, ...path.split('/')))),
    statement: async () => {
      try {
        return await readFile(join(folder, ...PROVENANCE_ARTIFACT.split('/')), 'utf8');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
  };
}
