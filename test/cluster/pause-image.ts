/** The image that every pod's sandbox runs, as a file. */
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { writeImage, writeTar } from './archive.ts';
import type { Binaries } from './binaries.ts';
import { cached, contentHash } from './cache.ts';
import { pauseImage } from './versions.ts';

/** Returns the path of a docker-archive. */
export async function pauseArchive(binaries: Binaries, log: (line: string) => void): Promise<string> {
  const program = await readFile(binaries.path('pause'));
  const folder = await cached(
    `images/pause-${contentHash(program, pauseImage)}`,
    async (target) => {
      const layer = path.join(target, 'layer.tar');
      await writeTar(layer, [{ name: 'pause', mode: 0o755, content: program }]);
      await writeImage(path.join(target, 'image.tar'), pauseImage, [layer], { Entrypoint: ['/pause'] });
      await rm(layer);
    },
    log,
  );
  return path.join(folder, 'image.tar');
}
