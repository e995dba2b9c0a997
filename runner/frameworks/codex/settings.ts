/**
 * How Codex is called for a session: https://developers.openai.com/codex/noninteractive. What it may is said by settings on the
 * command line, which win over every file. Its own sandbox is off, since the pod is one and lets it make no other; what policy
 * takes away are tools, and those that no setting removes are refused at the gateway.
 */
import { MODELS_TOKEN_VARIABLE } from '../../../common/api/runner.ts';
import type { RunDescription } from '../../../common/api/runner.ts';
import { isLeft, textOf, wantedTools } from '../description.ts';
import { resumedFrom } from '../resumed.ts';

/** The variable that its Framework names for the gateway's address. */
export const BASE_URL_VARIABLE = 'OPENAI_BASE_URL';
/** Milliseconds between two looks at the key. */
const KEY_REFRESH_MS = 300_000;

/** Tools as the model knows them, and the setting without which it is not offered them. */
const SWITCHES: readonly { tools: readonly string[]; off: string; needs?: 'execution' }[] = [
  { tools: ['exec_command', 'write_stdin'], off: 'features.shell_tool=false', needs: 'execution' },
  { tools: ['view_image'], off: 'features.view_image=false' },
  { tools: ['get_goal', 'create_goal', 'update_goal'], off: 'features.goals=false' },
  { tools: ['tool_search'], off: 'features.tool_search=false' },
];
/** Of no use to a session, or calls somebody whom it need not know. */
const ALWAYS = [
  ...['approval_policy="never"', 'sandbox_mode="danger-full-access"', 'check_for_update_on_startup=false'],
  // The provider runs it, which the gateway refuses.
  'web_search="disabled"',
  ...['features.apps=false', 'features.plugins=false', 'agents.enabled=false', 'analytics.enabled=false'],
];

type Env = Readonly<Record<string, string | undefined>>;

/** `conversation`: of the session that this one goes on from. */
export function codexArguments(description: RunDescription, env: Env, conversation?: string): string[] {
  const model = textOf(description, 'model');
  const effort = textOf(description, 'reasoningEffort');
  const resumed = resumedFrom(env, conversation !== undefined);
  const instructions = [textOf(description, 'systemPrompt'), resumed].filter(Boolean).join('\n\n');
  const settings = [
    ...ALWAYS,
    ...providerOf(env),
    ...offOf(description),
    ...(effort === undefined ? [] : [`model_reasoning_effort=${toml(effort)}`]),
    ...(instructions === '' ? [] : [`developer_instructions=${toml(instructions)}`]),
  ];
  return [
    'exec',
    ...(conversation === undefined ? [] : ['resume']),
    ...['--json', '--skip-git-repo-check', '--ignore-rules'],
    ...settings.flatMap((setting) => ['-c', setting]),
    ...(model === undefined ? [] : ['--model', model]),
    '--',
    ...(conversation === undefined ? [] : [conversation]),
    textOf(description, 'prompt') ?? '',
  ];
}

/** A basic string of TOML takes JSON's escapes, but for what JSON writes as it is and TOML does not: DEL. */
const toml = (text: string): string => JSON.stringify(text).replaceAll('\x7f', '\\u007f');

/** A provider of its own, since the built-in one wants an account. Without a gateway whatever its files say. */
function providerOf(env: Env): string[] {
  const url = env[BASE_URL_VARIABLE];
  if (url === undefined) return [];
  const token = env[MODELS_TOKEN_VARIABLE];
  const at = 'model_providers.gateway';
  return [
    ...['model_provider="gateway"', `${at}.name="gateway"`, `${at}.wire_api="responses"`],
    `${at}.base_url=${toml(url)}`,
    ...(token === undefined
      ? [`${at}.env_key="OPENAI_API_KEY"`]
      : [
          ...[`${at}.auth.command="cat"`, `${at}.auth.args=[${toml(token)}]`],
          `${at}.auth.refresh_interval_ms=${KEY_REFRESH_MS}`,
        ]),
  ];
}

function offOf(description: RunDescription): string[] {
  const wanted = wantedTools(description);
  const isOn = (tool: string): boolean =>
    isLeft(description, tool) && (wanted === undefined || wanted.includes(tool));
  return SWITCHES.filter(
    ({ tools, needs }) =>
      // One that does not go without another goes with it.
      !tools.every(isOn) || (needs !== undefined && description.restrictions?.[needs] === true),
  ).map(({ off }) => off);
}
