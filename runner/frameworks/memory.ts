/** Lets an agent keep its conversations in the folder that outlives the session, and finds the one to go on with. */
import { createReadStream } from 'node:fs';
import { mkdir, readdir, stat, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { MEMORY_VARIABLE } from '../../common/api/runner.ts';

export interface ConversationFiles {
  /** Where the agent looks for them and puts them. */
  folder: string;
  /** Their names; the first group is the conversation's id. */
  name: RegExp;
  /** Only one with such a line can be gone on with. */
  line: RegExp;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Puts the agent's own folder there. Returns the id of the latest conversation in it, if it was resumed with any. */
export async function rememberIn(
  env: Env,
  { folder, name, line }: ConversationFiles,
): Promise<string | undefined> {
  const memory = env[MEMORY_VARIABLE];
  if (memory === undefined) return undefined;
  await mkdir(dirname(folder), { recursive: true });
  await symlink(memory, folder);
  let latest: { id: string; at: number } | undefined;
  for (const path of await readdir(memory, { recursive: true })) {
    const id = name.exec(basename(path))?.[1];
    if (id === undefined) continue;
    const file = join(memory, path);
    const { mtimeMs } = await stat(file);
    if ((latest === undefined || mtimeMs > latest.at) && (await hasLine(file, line)))
      latest = { id, at: mtimeMs };
  }
  return latest?.id;
}

async function hasLine(file: string, pattern: RegExp): Promise<boolean> {
  for await (const line of createInterface({ input: createReadStream(file) }))
    if (pattern.test(line)) return true;
  return false;
}
