/** The command of framework claude-code: reads the description of the run and becomes the agent. */
import { join } from 'node:path';
import { become } from '../become.ts';
import { readDescription } from '../description.ts';
import { claudeArguments } from './arguments.ts';

const { env } = process;
const program = join(import.meta.dirname, '../agent/claude');
become(program, claudeArguments(await readDescription(env), env), env);
