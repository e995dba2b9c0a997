/** Prepares what the command finds: the source in the workspace, a home, its environment. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  DESCRIPTION_VARIABLE,
  MEMORY_VARIABLE,
  RESTRICTION_VARIABLES,
  RESUME_VARIABLE,
} from '../common/api/runner.ts';
import type { RunDescription } from '../common/api/runner.ts';
import type { Endpoint } from './endpoint.ts';
import { proxyOf } from './git-process.ts';
import type { Environment, Locations } from './locations.ts';
import type { Recorder } from './records.ts';
import { cloneGit, headOf } from './source/git.ts';
import { isBrought } from './source/bring.ts';
import { takeHandedSource } from './source/handed.ts';
import { bringUpload } from './source/upload.ts';
import { SourceError } from './source/source-error.ts';

const LINKS_NAMED = 10;
/** Digits of a commit that people read. */
const SHORT = 12;

export interface PrepareOptions {
  description: RunDescription;
  locations: Locations;
  env: Environment;
  endpoint: Endpoint;
  recorder: Recorder;
  /** Private folder of the runner. */
  scratch: string;
  /** Home of the runner's own git calls. */
  gitHome: string;
  elapsed: () => number;
  signal: AbortSignal;
}

/** The commit of a git source. Throws SourceError when the source cannot be had, and the signal's reason when interrupted. */
export async function bringSource(options: PrepareOptions): Promise<string | undefined> {
  const { description, locations, recorder, signal } = options;
  const { source } = description;
  const git = {
    cwd: locations.workspace,
    home: options.gitHome,
    signal,
    env: proxyOf({ ...options.env, ...description.env }),
  };
  const handed = isBrought(description) ? await takeHandedSource(locations) : undefined;
  const inputs = description.inputs ?? [];
  if (inputs.length > 0)
    recorder.status(`inputs ready: ${inputs.map(({ name }) => name).join(', ')}`, { name: 'source' });
  const from = options.elapsed();
  const took = (): string => seconds(options.elapsed() - from);
  switch (source.type) {
    case 'none':
      return undefined;
    case 'upload': {
      if (!source.upload) throw new SourceError('the session names no uploaded source');
      recorder.status(`unpacking the uploaded source (${bytes(source.upload.sizeBytes)})`, {
        name: 'source',
      });
      const done = await bringUpload(options.endpoint, source.upload, options.scratch, git);
      recorder.status(`source ready: ${done.files} files, ${bytes(done.bytes)}, in ${took()}`, {
        name: 'source',
      });
      if (done.linksLeftOut.length > 0)
        recorder.error(
          `left out ${done.linksLeftOut.length} symbolic links that lead out of the workspace: ${done.linksLeftOut.slice(0, LINKS_NAMED).join(', ')}`,
          { name: 'source' },
        );
      return undefined;
    }
    case 'git': {
      if (!source.git) throw new SourceError('the session names no git repository');
      const { url, ref, credentials } = source.git;
      if (credentials !== undefined) {
        const commit = handed?.commit;
        recorder.status(`source ready: ${commit?.slice(0, SHORT) ?? 'no commit'}, with credentials`, {
          name: 'source',
          ...(commit && { data: { commit: commit.slice(0, SHORT) } }),
        });
        return commit;
      }
      recorder.status(`cloning ${url}${ref === undefined ? '' : ` at ${ref}`}`, { name: 'source' });
      await cloneGit(source.git, git);
      const head = await headOf(git);
      const short = head?.slice(0, SHORT);
      recorder.status(`source ready: ${short ?? 'no commit'}, in ${took()}`, {
        name: 'source',
        ...(short && { data: { commit: short } }),
      });
      return head;
    }
  }
}

/** A home that outlives nothing, with the git settings a container needs: the volume belongs to someone else there. */
export async function makeHome(temporary: string): Promise<string> {
  const home = join(temporary, 'home');
  await mkdir(home, { recursive: true });
  await writeFile(
    join(home, '.gitconfig'),
    '[safe]\n\tdirectory = *\n[user]\n\tname = Ambient Session\n\temail = session@ambient.invalid\n[advice]\n\tdetachedHead = false\n',
  );
  return home;
}

/** Built from nothing: what the runner itself was given, its token's place included, does not pass through. */
export function commandEnvironment(
  { description, locations, env }: Pick<PrepareOptions, 'description' | 'locations' | 'env'>,
  home: string,
  { resumedLog, memory }: { resumedLog?: string | undefined; memory?: string | undefined } = {},
): Record<string, string> {
  const { namespace, name, uid } = description.session;
  return {
    PATH: env.PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: home,
    USER: 'ambient',
    LANG: 'C.UTF-8',
    ...description.env,
    AMBIENT_NAMESPACE: namespace,
    AMBIENT_SESSION: name,
    AMBIENT_SESSION_UID: uid,
    AMBIENT_WORKSPACE: locations.workspace,
    AMBIENT_ARTIFACTS: locations.artifacts,
    ...(env.AMBIENT_INPUTS === undefined ? {} : { AMBIENT_INPUTS: locations.inputs }),
    [DESCRIPTION_VARIABLE]: locations.commandDescription ?? locations.description,
    ...(resumedLog === undefined ? {} : { [RESUME_VARIABLE]: resumedLog }),
    ...(memory === undefined ? {} : { [MEMORY_VARIABLE]: memory }),
    ...restrictionVariables(description.restrictions),
  };
}

function restrictionVariables(
  restrictions: PrepareOptions['description']['restrictions'],
): Record<string, string> {
  const named = Object.entries(RESTRICTION_VARIABLES) as [keyof typeof RESTRICTION_VARIABLES, string][];
  return Object.fromEntries(
    named.filter(([restriction]) => restrictions?.[restriction] === true).map(([, name]) => [name, 'true']),
  );
}

export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  const step =
    count < 1e6 ? (['kB', 1e3] as const) : count < 1e9 ? (['MB', 1e6] as const) : (['GB', 1e9] as const);
  return `${(count / step[1]).toFixed(1)} ${step[0]}`;
}

export const seconds = (milliseconds: number): string =>
  `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 1 : 0)} s`;
