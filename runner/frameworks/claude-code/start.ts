/** The command of framework claude-code: reads the description of the run and becomes the agent. */
import { join } from 'node:path';
import { become } from '../become.ts';
import { attend } from '../attend.ts';
import { readDescription } from '../description.ts';
import { claudeArguments, firstMessage } from './arguments.ts';

const { env } = process;
const program = join(import.meta.dirname, '../agent/claude');
const description = await readDescription(env);
const args = claudeArguments(description, env);
if (description.input !== 'messages') become(program, args, env);
await attend(program, args, env, firstMessage(description));
