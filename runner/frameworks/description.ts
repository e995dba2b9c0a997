/** What a framework's start reads of the run: its configuration, and what policy leaves it. */
import { readFile } from 'node:fs/promises';
import { Value } from 'typebox/value';
import { DESCRIPTION_VARIABLE, RunDescription } from '../../common/api/runner.ts';
import { allowsName } from '../../common/rules/policy/narrow.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** @throws Error when there is no description, or one of another contract */
export async function readDescription(env: Env): Promise<RunDescription> {
  const path = env[DESCRIPTION_VARIABLE] ?? '';
  const value: unknown = JSON.parse(await readFile(path, 'utf8'));
  if (!Value.Check(RunDescription, value)) throw new Error(`${path} does not describe a run`);
  return value;
}

/** A setting that is a text; the framework's schema was asked before. */
export function textOf({ framework }: RunDescription, name: string): string | undefined {
  const value = framework.config[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function numberOf({ framework }: RunDescription, name: string): number | undefined {
  const value = framework.config[name];
  return typeof value === 'number' ? value : undefined;
}

/** config.tools, by convention of all frameworks; undefined: whatever policy leaves. */
export function wantedTools({ framework }: RunDescription): string[] | undefined {
  const value = framework.config['tools'];
  return Array.isArray(value) ? value.filter((tool) => typeof tool === 'string') : undefined;
}

/** Whether policy leaves the tool; `Bash(git *)` is left where `Bash` is. */
export function isLeft({ tools = { allowed: [], blocked: [] } }: RunDescription, tool: string): boolean {
  const paren = tool.indexOf('(');
  return allowsName(tools, paren > 0 ? tool.slice(0, paren) : tool);
}
