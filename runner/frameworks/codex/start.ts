/** The command of framework codex: reads the description of the run and becomes the agent. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { become } from '../become.ts';
import { readDescription } from '../description.ts';
import { codexArguments } from './settings.ts';

const { env } = process;
const home = join(env['HOME'] ?? '/tmp', '.codex');
await mkdir(home, { recursive: true });
const program = join(import.meta.dirname, '../agent/bin/codex');
become(program, codexArguments(await readDescription(env), env), { ...env, CODEX_HOME: home });
