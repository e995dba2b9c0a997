/** A real volume of a few mebibytes, to be filled. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Context } from 'mocha';
import { skipBecause } from './skip.ts';

const run = promisify(execFile);

export interface SmallVolume extends AsyncDisposable {
  readonly root: string;
}

export async function smallVolumeOrSkip(context: Context, mebibytes: number): Promise<SmallVolume> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    skipBecause(context, 'mounting a small volume needs root on Linux');
  const root = await mkdtemp(join(tmpdir(), 'ambient-volume-'));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', root]);
  } catch (error) {
    await rm(root, { recursive: true });
    skipBecause(context, `mounting a small volume failed: ${String(error)}`);
  }
  return {
    root,
    async [Symbol.asyncDispose]() {
      await run('umount', [root]);
      await rm(root, { recursive: true });
    },
  };
}
