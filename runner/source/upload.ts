/** The source as the user had it: the uploaded working tree, laid over the history that came with it. */
import { createReadStream } from 'node:fs';
import { access, copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ARCHIVE } from '../../common/api/runner.ts';
import { messageOf } from '../../common/errors.ts';
import type { Endpoint } from '../endpoint.ts';
import { git, GitError } from '../git-process.ts';
import type { GitOptions } from '../git-process.ts';
import { download } from './download.ts';
import type { ExpectedArchive } from './download.ts';
import { SourceError } from './source-error.ts';
import { unpack } from './unpack.ts';
import type { Unpacked } from './unpack.ts';

/** Throws SourceError. `scratch` is a private folder. */
export async function bringUpload(
  endpoint: Endpoint,
  expected: ExpectedArchive,
  scratch: string,
  options: GitOptions,
): Promise<Unpacked> {
  const archive = join(scratch, 'source.tar.gz');
  try {
    await download(endpoint, expected, archive, options.signal);
    const unpacked = await unpack(createReadStream(archive), {
      workspace: options.cwd,
      besides: scratch,
      signal: options.signal,
    });
    await rm(archive);
    if (await exists(join(scratch, ARCHIVE.history))) await layHistory(scratch, options);
    return unpacked;
  } finally {
    for (const name of ['source.tar.gz', ARCHIVE.history, ARCHIVE.shallow])
      await rm(join(scratch, name), { force: true });
  }
}

/**
 * Makes /workspace/.git of the bundle without touching the working tree: what was deleted or changed before the launch
 * then shows as deleted or changed.
 */
async function layHistory(scratch: string, options: GitOptions): Promise<void> {
  const bundle = join(scratch, ARCHIVE.history);
  try {
    const heads = (await git(['bundle', 'list-heads', bundle], options))
      .toString('utf8')
      .split('\n')
      .flatMap((line) => {
        const [commit, ref] = line.split(' ');
        return commit && ref && (ref === 'HEAD' || ref.startsWith('refs/')) ? [{ commit, ref }] : [];
      });
    const head = heads.find(({ ref }) => ref === 'HEAD') ?? heads[0];
    if (head === undefined) throw new SourceError('history.bundle in the source archive is empty');
    const branch = heads.find(({ commit, ref }) => commit === head.commit && ref.startsWith('refs/heads/'));

    await git(['init', '--template=', '--quiet', '.'], options);
    const shallow = join(scratch, ARCHIVE.shallow);
    if (await exists(shallow)) await copyFile(shallow, join(options.cwd, '.git', 'shallow'));
    await git(
      [
        'fetch',
        '--quiet',
        '--no-tags',
        '--update-head-ok',
        '--no-write-fetch-head',
        bundle,
        ...heads.map(({ ref }) => `+${ref}:${ref === 'HEAD' ? 'refs/ambient/head' : ref}`),
      ],
      // git takes a bundle for the transport that is else not allowed
      { ...options, env: { ...options.env, GIT_ALLOW_PROTOCOL: 'file' } },
    );
    if (branch) await git(['symbolic-ref', 'HEAD', branch.ref], options);
    else await git(['update-ref', '--no-deref', 'HEAD', head.commit], options);
    // exit code 1 only says that files differ from the index
    await git(['reset', '--mixed', '--quiet'], options, [0, 1]);
    await git(['update-ref', '-d', 'refs/ambient/head'], options);
  } catch (error) {
    if (error instanceof GitError)
      throw new SourceError(`history.bundle in the source archive: ${messageOf(error)}`, { cause: error });
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
