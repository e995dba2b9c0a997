/** The command of framework claude-code: reads the description of the run and becomes the agent. */
import { join } from 'node:path';
import { become } from '../become.ts';
import { readDescription } from '../description.ts';
import { rememberIn } from '../memory.ts';
import { claudeArguments } from './arguments.ts';

const { env } = process;
const description = await readDescription(env);
const program = join(import.meta.dirname, '../agent/claude');
const conversation = await rememberIn(env, {
  // As it names the folder of a project.
  folder: join(env['HOME'] ?? '/tmp', '.claude/projects', process.cwd().replaceAll(/[^A-Za-z0-9]/g, '-')),
  name: /^([\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12})\.jsonl$/,
  line: /"type":"assistant"/,
});
become(program, claudeArguments(description, env, conversation), env);
