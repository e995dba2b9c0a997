/** Which paths a patch may touch: only files inside the folder, never the repository's own, never through a link. */
import { AmbientError } from '../../../common/errors.ts';
import { plain } from '../../ide/plain-text.ts';
import type { FilePatch } from './parse.ts';

/** What stands at a path relative to the folder; a link is not followed. */
export type KindAt = (path: string) => Promise<'file' | 'folder' | 'link' | undefined>;

/** Throws unsafe_path: one bad path refuses the whole patch, since nobody writes such a path by accident. */
export function checkPaths(files: readonly FilePatch[], isWindows: boolean): void {
  for (const { oldPath, newPath } of files)
    for (const path of [oldPath, newPath]) {
      const problem = problemOf(path, isWindows);
      if (problem !== undefined) throw unsafe(path, problem);
    }
}

/** Throws unsafe_path when a file or a folder above it is a link, whose target may be anywhere. */
export async function checkLinks(files: readonly FilePatch[], kindAt: KindAt): Promise<void> {
  const paths = new Set<string>();
  for (const { oldPath, newPath } of files)
    for (const path of [oldPath, newPath])
      for (let end = path.indexOf('/'); ; end = path.indexOf('/', end + 1)) {
        paths.add(end < 0 ? path : path.slice(0, end));
        if (end < 0) break;
      }
  for (const path of [...paths].sort())
    if ((await kindAt(path)) === 'link') throw unsafe(path, 'is a symbolic link in the folder');
}

/** Why a file of that name must not be written, or undefined. */
export function problemOf(path: string, isWindows: boolean): string | undefined {
  if (path === '') return 'is empty';
  if (path.startsWith('/') || /^[A-Za-z]:/.test(path) || path.startsWith('\\')) return 'is not relative';
  if (path.includes('\0')) return 'holds a zero byte';
  if (path.includes('\ufffd')) return 'is not valid UTF-8';
  // Elsewhere a backslash is a letter like others, yet nobody means it so.
  if (/(^|[\\/])\.\.?([\\/]|$)/.test(path)) return 'leads out of the folder';
  const segments = path.split(isWindows ? /[\\/]/ : '/');
  for (const segment of segments) {
    if (segment === '') return 'has an empty segment';
    if (isGitFolder(segment)) return "lies in git's own folder";
    if (isWindows && (/[<>:"|?*\u0001-\u001f]/.test(segment) || /[. ]$/.test(segment)))
      return 'cannot be a name on Windows';
    if (isWindows && /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(segment)) return 'is a device on Windows';
  }
  return undefined;
}

/** As git's verify_path: also what file systems of macOS and Windows take for `.git`. */
function isGitFolder(segment: string): boolean {
  const bare = segment
    .normalize('NFKC')
    .replace(/[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g, '')
    .replace(/:.*$/s, '')
    .replace(/[. ]+$/, '')
    .toLowerCase();
  return bare === '.git' || bare === 'git~1';
}

const unsafe = (path: string, problem: string): AmbientError =>
  new AmbientError(
    'unsafe_path',
    `the patch was refused, nothing was changed: the path ${JSON.stringify(plain(path))} ${problem}`,
    { details: { path } },
  );
