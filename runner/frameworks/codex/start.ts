/** The command of framework codex: reads the description of the run and becomes the agent. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { become } from '../become.ts';
import { readDescription } from '../description.ts';
import { rememberIn } from '../memory.ts';
import { codexArguments } from './settings.ts';

const { env } = process;
const description = await readDescription(env);
const home = join(env['HOME'] ?? '/tmp', '.codex');
await mkdir(home, { recursive: true });
const conversation = await rememberIn(env, {
  folder: join(home, 'sessions'),
  name: /^rollout-.*-([\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12})\.jsonl$/,
  line: /"role":"assistant"/,
});
const program = join(import.meta.dirname, '../agent/bin/codex');
become(program, codexArguments(description, env, conversation), { ...env, CODEX_HOME: home });
