/** Files that an agent says it has changed, each once, the latest first. */
import type { ChangedFile } from '../../../common/api/panels.ts';

/** Listed on the page; an agent may change any number. */
const LISTED = 200;
const KNOWN_MAX = 10_000;
const PATH_MAX = 4096;

export interface ChangedFiles {
  add(file: ChangedFile): void;
  list(): { rows: ChangedFile[]; more: number };
}

export function changedFiles(): ChangedFiles {
  const known = new Map<string, ChangedFile>();
  return {
    add: (file) => {
      const path = workspacePath(file.path).slice(0, PATH_MAX);
      if (path === '') return;
      // Said again, it is the latest.
      known.delete(path);
      if (known.size < KNOWN_MAX) known.set(path, { ...file, path });
    },
    list: () => ({
      rows: [...known.values()].slice(-LISTED).reverse(),
      more: Math.max(0, known.size - LISTED),
    }),
  };
}

/** As patches name it: agents tell the place in the pod. */
export const workspacePath = (path: string): string =>
  path.replace(/^\/workspace\/+/, '').replace(/^(?:\.\/+)+/, '');
