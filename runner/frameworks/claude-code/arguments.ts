/**
 * How Claude Code is called for a session: https://code.claude.com/docs/en/cli-reference. Where nobody can answer a question of
 * permission, what it may is said beforehand: the tools that the session wants and policy leaves. Their names stand in
 * `--tools`, so that the model is not even offered others, and policy's in the settings given on the command line, which neither a
 * file in the workspace nor one in the home can take back.
 */
import { MODELS_TOKEN_VARIABLE } from '../../../common/api/runner.ts';
import type { RunDescription } from '../../../common/api/runner.ts';
import { isLeft, numberOf, textOf, wantedTools } from '../description.ts';
import { resumedFrom } from '../resumed.ts';

/**
 * Those of use to a session that nobody watches. A newer tool is none of them until its name stands here. WebSearch is not:
 * the provider runs it, which the gateway refuses.
 */
const TOOLS = [
  ...['Agent', 'Bash', 'Edit', 'Glob', 'Grep', 'NotebookEdit', 'Read', 'Skill', 'TodoWrite'],
  ...['TaskCreate', 'TaskGet', 'TaskList', 'TaskStop', 'TaskUpdate', 'WebFetch', 'Write'],
] as const;
/** It calls one tool by two names. */
const ALSO: Readonly<Record<string, string>> = { Agent: 'Task', Task: 'Agent' };
const EXECUTING: ReadonlySet<string> = new Set(['Bash', 'Monitor', 'Workflow', 'Skill']);
const NETWORK: ReadonlySet<string> = new Set(['WebFetch', 'WebSearch']);

type Env = Readonly<Record<string, string | undefined>>;

/** `conversation`: of the session that this one goes on from. */
export function claudeArguments(description: RunDescription, env: Env, conversation?: string): string[] {
  const prompt = textOf(description, 'prompt') ?? '';
  const model = textOf(description, 'model');
  const turns = numberOf(description, 'maxTurns');
  const resumed = resumedFrom(env, conversation !== undefined);
  const system = [textOf(description, 'systemPrompt'), resumed].filter(Boolean).join('\n\n');
  const talks = description.input === 'messages';
  const wanted = wantedTools(description);
  const tools = toolsOf(description, wanted);
  const names = [...new Set(tools.map(nameOf))];
  return [
    ...['-p', '--output-format', 'stream-json', '--verbose'],
    // Its task comes as the first of what is said to it.
    ...(talks ? ['--input-format', 'stream-json'] : []),
    // acceptEdits would also let commands pass that change files.
    ...(talks
      ? ['--permission-mode', 'default', '--permission-prompt-tool', 'stdio']
      : ['--permission-mode', 'dontAsk', '--permission-prompts', 'none']),
    '--strict-mcp-config',
    // Else it says again what the system prompt was there, whatever this session's is.
    ...(conversation === undefined ? [] : ['--resume', conversation, '--system-prompt-snapshot', 'off']),
    ...(model === undefined ? [] : ['--model', model]),
    ...(turns === undefined ? [] : ['--max-turns', String(turns)]),
    ...(system === '' ? [] : ['--append-system-prompt', system]),
    ...(description.restrictions?.execution === true ? ['--restricted'] : []),
    ...['--tools', names.join(',')],
    ...(tools.length === 0 ? [] : ['--allowedTools', tools.join(',')]),
    ...['--settings', JSON.stringify(settingsOf(description, env))],
    // What follows is the prompt, whatever it begins with.
    ...(talks ? [] : ['--', prompt]),
  ];
}

const nameOf = (tool: string): string => /^[^(]*/.exec(tool)?.[0] ?? tool;

/** As the session writes them, `Bash(git *)` included. */
function toolsOf(description: RunDescription, wanted: readonly string[] = TOOLS): string[] {
  const { restrictions } = description;
  return wanted.filter((tool) => {
    const name = nameOf(tool);
    if (restrictions?.execution === true && EXECUTING.has(name)) return false;
    if (restrictions?.network === true && NETWORK.has(name)) return false;
    const also = ALSO[name];
    return isLeft(description, tool) && (also === undefined || isLeft(description, also));
  });
}

function settingsOf(description: RunDescription, env: Env): Record<string, unknown> {
  const token = env[MODELS_TOKEN_VARIABLE];
  const { tools, restrictions } = description;
  const deny = (tools?.blocked ?? []).filter((glob) => !glob.includes('*'));
  return {
    // Asked for again every few minutes, as a token is renewed while a session runs.
    ...(token === undefined ? {} : { apiKeyHelper: `cat '${token}'` }),
    ...(deny.length === 0 ? {} : { permissions: { deny } }),
    // A repository's own hooks are commands.
    ...(restrictions?.execution === true ? { disableAllHooks: true } : {}),
  };
}
