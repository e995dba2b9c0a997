/**
 * A private snapshot of the workspace as it was delivered, and afterwards the patch from it to what the command left.
 * It lives outside the workspace and does not depend on /workspace/.git, which the command may change or delete.
 */
import { access, constants, lstat, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { SkippedFile } from './artifacts/walk.ts';
import { git, GitError, runGit } from './git-process.ts';
import type { GitOptions } from './git-process.ts';

/** Larger files are not put in a patch, since git holds them in memory: they belong in /artifacts. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;
const NEW_FILES_MAX = 200_000;

const CONFIG = `[core]
	repositoryformatversion = 0
	bare = false
	filemode = true
	symlinks = true
	autocrlf = false
	safecrlf = false
	compression = 1
	bigFileThreshold = 32m
	quotePath = false
	logAllRefUpdates = false
`;
/** Above any .gitattributes: bytes stay as they are. */
const ATTRIBUTES = '* -text -ident !eol !filter !working-tree-encoding !diff\n';
/** What a command makes on the way and nobody wants in a patch, also where no .gitignore says so. */
const EXCLUDE = 'node_modules/\n__pycache__/\n.venv/\n';

export class Baseline {
  readonly #options: GitOptions;
  readonly #tree: string;

  private constructor(options: GitOptions, tree: string) {
    this.#options = options;
    this.#tree = tree;
  }

  /** Snapshots `options.cwd`, ignored files included, into `folder`, which must not exist. Throws when git fails. */
  static async take(folder: string, options: Omit<GitOptions, 'env'>): Promise<Baseline> {
    const privately: GitOptions = {
      ...options,
      env: { GIT_DIR: folder, GIT_WORK_TREE: options.cwd, GIT_LITERAL_PATHSPECS: '1' },
    };
    await mkdir(folder, { mode: 0o700 });
    await git(['init', '--template=', '--quiet'], privately);
    await writeFile(join(folder, 'config'), CONFIG);
    await mkdir(join(folder, 'info'), { recursive: true });
    await writeFile(join(folder, 'info', 'attributes'), ATTRIBUTES);
    await writeFile(join(folder, 'info', 'exclude'), '');
    await stage(privately, []);
    await writeFile(join(folder, 'info', 'exclude'), EXCLUDE);
    return new Baseline(privately, (await git(['write-tree'], privately)).toString('utf8').trim());
  }

  /** Writes the patch to `file`; false when nothing changed. Throws when git fails. */
  async patch(file: string, signal: AbortSignal): Promise<{ changed: boolean; skipped: SkippedFile[] }> {
    const options = { ...this.#options, signal };
    const skipped = await stage(options, ['--exclude-standard']);
    skipped.push(...(await this.#leaveOutLargeFiles(options)));
    await git(
      [
        'diff',
        '--cached',
        '--binary',
        '--full-index',
        '--no-renames',
        '--no-color',
        '--no-ext-diff',
        '--no-textconv',
        '--ignore-submodules=all',
        '--src-prefix=a/',
        '--dst-prefix=b/',
        this.#tree,
      ],
      { ...options, outputFile: file },
    );
    return { changed: (await stat(file)).size > 0, skipped };
  }

  /** Sets entries whose content before or after is too large back to what was delivered. */
  async #leaveOutLargeFiles(options: GitOptions): Promise<SkippedFile[]> {
    const raw = await git(
      [
        'diff',
        '--cached',
        '--raw',
        '-z',
        '--no-abbrev',
        '--no-renames',
        '--ignore-submodules=all',
        this.#tree,
      ],
      options,
    );
    const changes = parseRaw(raw);
    const objects = [...new Set(changes.flatMap(({ from, to }) => [from.id, to.id]))].filter((id) =>
      /[^0]/.test(id),
    );
    const listing = await git(['cat-file', '--batch-check=%(objectname) %(objectsize)'], {
      ...options,
      input: Readable.from([objects.map((id) => `${id}\n`).join('')]),
    });
    const large = new Set<string>();
    for (const line of listing.toString('utf8').split('\n')) {
      const [id, size] = line.split(' ');
      if (id && Number(size) > FILE_BYTES_MAX) large.add(id);
    }
    const reset = changes.filter(({ from, to }) => large.has(from.id) || large.has(to.id));
    if (reset.length > 0)
      await git(['update-index', '-z', '--index-info'], {
        ...options,
        input: Readable.from(
          reset.map(({ from, path }) =>
            Buffer.concat([Buffer.from(`${from.mode} ${from.id}\t`), path, ZERO]),
          ),
        ),
      });
    return reset.map(({ path }) => tooLarge(path.toString('utf8')));
  }
}

const ZERO = Buffer.from([0]);
const tooLarge = (path: string): SkippedFile => ({
  path,
  reason: `larger than ${FILE_BYTES_MAX / 1024 ** 2} MiB, not in changes.patch`,
});

/**
 * Brings the private index up to the workspace: files it knows first, then new ones, which `lsFilesFlags` narrow.
 * What cannot be read or belongs to a nested repository is skipped, never fatal.
 */
async function stage(options: GitOptions, lsFilesFlags: string[]): Promise<SkippedFile[]> {
  const update = ['add', '--update', '--ignore-errors', '--', '.'];
  const updated = await runGit(update, options);
  // exit code 1 tells of files that could not be read; they stay as delivered
  if (updated.code > 1) throw new GitError(update, updated);
  const skipped = [...updated.stderr.matchAll(/^error: open\("(.*)"\): (.*)$/gm)].map(
    ([, path = '', why = '']): SkippedFile => ({
      path,
      reason: `cannot be read (${why}), not in changes.patch`,
    }),
  );
  const add: Buffer[] = [];
  const others = splitZero(await git(['ls-files', '--others', '-z', ...lsFilesFlags], options));
  for (const name of others) {
    const path = name.toString('utf8');
    if (path.endsWith('/')) {
      skipped.push({ path, reason: 'a git repository of its own, not in changes.patch' });
      continue;
    }
    const at = Buffer.concat([Buffer.from(`${options.cwd}/`), name]);
    try {
      const info = await lstat(at);
      if (info.isFile() && lsFilesFlags.length > 0 && info.size > FILE_BYTES_MAX) {
        skipped.push(tooLarge(path));
        continue;
      }
      if (info.isFile()) await access(at, constants.R_OK);
    } catch (error) {
      skipped.push({
        path,
        reason: `cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`,
      });
      continue;
    }
    if (add.length >= NEW_FILES_MAX) {
      skipped.push({ path, reason: `more than ${NEW_FILES_MAX} new files, not in changes.patch` });
      break;
    }
    add.push(name, ZERO);
  }
  if (add.length > 0)
    await git(['update-index', '--add', '--replace', '-z', '--stdin'], {
      ...options,
      input: Readable.from(inBlocks(add)),
    });
  return skipped;
}

function* inBlocks(parts: readonly Buffer[]): Generator<Buffer> {
  for (let at = 0; at < parts.length; at += 2_000) yield Buffer.concat(parts.slice(at, at + 2_000));
}

function splitZero(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  let start = 0;
  for (let end = bytes.indexOf(0); end >= 0; end = bytes.indexOf(0, start)) {
    parts.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return parts;
}

interface Change {
  from: { mode: string; id: string };
  to: { mode: string; id: string };
  path: Buffer;
}

/** `:mode mode id id status NUL path NUL`, again and again. */
function parseRaw(raw: Buffer): Change[] {
  const fields = splitZero(raw);
  const changes: Change[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const [fromMode = '', toMode = '', fromId = '', toId = ''] = (fields[index] ?? ZERO)
      .toString('utf8')
      .slice(1)
      .split(' ');
    changes.push({
      from: { mode: fromMode, id: fromId },
      to: { mode: toMode, id: toId },
      path: fields[index + 1] ?? ZERO,
    });
  }
  return changes;
}
