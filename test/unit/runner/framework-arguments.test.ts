/** How vendors' agents are called, for every configuration and policy: what they do with it is in test/agents. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { RUN_API_VERSION } from '../../../common/api/runner.ts';
import type { RunDescription } from '../../../common/api/runner.ts';
import { matchesAny } from '../../../common/rules/policy/glob.ts';
import { claudeArguments } from '../../../runner/frameworks/claude-code/arguments.ts';
import { codexArguments } from '../../../runner/frameworks/codex/settings.ts';

const described = (config: Record<string, unknown>, more: Partial<RunDescription> = {}): RunDescription => ({
  apiVersion: RUN_API_VERSION,
  session: { namespace: 'n', name: 's', uid: 'u' },
  framework: { type: 't', version: '1', config },
  command: ['x'],
  env: {},
  eventFormat: 'text',
  source: { type: 'none' },
  limits: { timeoutSeconds: 1, gracePeriodSeconds: 1 },
  endpoint: { url: 'https://x', ca: '' },
  ...more,
});
const after = (args: readonly string[], option: string): string | undefined =>
  args.includes(option) ? args[args.indexOf(option) + 1] : undefined;

describe('arguments of vendors’ agents', () => {
  const anyText = fc.string({ unit: 'binary', minLength: 1 });
  const glob = fc.oneof(
    fc.constantFrom('*', 'Bash', 'Web*', 'Task', 'R*', 'exec_command', 'web_*'),
    fc.string(),
  );
  const tools = fc.record({
    allowed: fc.array(fc.array(glob, { maxLength: 4 }), { maxLength: 2 }),
    blocked: fc.array(glob, { maxLength: 4 }),
  });

  it('end with the prompt, whatever it is', () => {
    fc.assert(
      fc.property(anyText, (prompt) => {
        for (const args of [
          claudeArguments(described({ prompt }), {}),
          codexArguments(described({ prompt }), {}),
        ])
          assert.deepEqual(args.slice(-2), ['--', prompt]);
      }),
    );
  });

  it('leave the task out where it is said, and tell of the session before', () => {
    const args = claudeArguments(described({ prompt: 'task' }, { input: 'messages' }), {
      AMBIENT_RESUME: '/tmp/resumed.ndjson',
    });
    assert.equal(after(args, '--input-format'), 'stream-json');
    assert.ok(!args.includes('task') && !args.includes('--'));
    assert.match(after(args, '--append-system-prompt') ?? '', /earlier session[^]*\/tmp\/resumed\.ndjson/);
  });

  it('go on with a conversation that is remembered', () => {
    const id = '3f0c9b1e-0000-4000-8000-000000000001';
    const claude = claudeArguments(described({ prompt: 'task' }), { AMBIENT_RESUME: '/tmp/log' }, id);
    assert.equal(after(claude, '--resume'), id);
    assert.equal(after(claude, '--system-prompt-snapshot'), 'off');
    assert.doesNotMatch(claude.join(' '), /\/tmp\/log/);
    const codex = codexArguments(described({ prompt: 'task' }), { AMBIENT_RESUME: '/tmp/log' }, id);
    assert.deepEqual(
      [codex.slice(0, 2), codex.slice(-3)],
      [
        ['exec', 'resume'],
        ['--', id, 'task'],
      ],
    );
  });

  it('give Claude Code no tool that policy does not leave', () => {
    const wanted = fc.option(fc.array(fc.constantFrom('Bash', 'Bash(git *)', 'Read', 'WebFetch', 'Task')), {
      nil: undefined,
    });
    fc.assert(
      fc.property(tools, wanted, fc.boolean(), (limits, want, execution) => {
        const restrictions = { network: false, fileSystem: false, execution };
        const config = { prompt: 'x', ...(want === undefined ? {} : { tools: want }) };
        const args = claudeArguments(described(config, { tools: limits, restrictions }), {});
        const offered = (after(args, '--tools') ?? '').split(',').filter((name) => name !== '');
        const allowed = (after(args, '--allowedTools') ?? '').split(',').filter((name) => name !== '');
        for (const name of offered) {
          assert.ok(
            limits.allowed.every((globs) => matchesAny(globs, name)) && !matchesAny(limits.blocked, name),
          );
          assert.ok(!(execution && name === 'Bash'));
          if (want !== undefined) assert.ok(want.some((each) => each.startsWith(name)));
        }
        assert.deepEqual([...new Set(allowed.map((each) => each.replace(/\(.*/, '')))], offered);
      }),
    );
  });

  it('ask Claude Code to read its key again, where there is one', () => {
    const settings = (env: Record<string, string>): unknown =>
      JSON.parse(after(claudeArguments(described({ prompt: 'x' }), env), '--settings') ?? '');
    assert.deepEqual(settings({ AMBIENT_MODELS_TOKEN_FILE: '/ambient/models-token' }), {
      apiKeyHelper: "cat '/ambient/models-token'",
    });
    assert.deepEqual(settings({}), {});
  });

  it('write settings of Codex that are TOML, whatever the text', () => {
    fc.assert(
      fc.property(anyText, (systemPrompt) => {
        const args = codexArguments(described({ prompt: 'x', systemPrompt }), {});
        const setting = args.find((each) => each.startsWith('developer_instructions=')) ?? '';
        const text = setting.slice(setting.indexOf('=') + 1);
        assert.equal(JSON.parse(text), systemPrompt);
        assert.doesNotMatch(text, /[\x00-\x1f\x7f]/);
      }),
    );
  });

  it('take from Codex the tools that policy takes away, by the setting that removes them', () => {
    const off = (more: Partial<RunDescription>, config: Record<string, unknown> = {}): string[] =>
      codexArguments(described({ prompt: 'x', ...config }, more), {}).filter((each) =>
        /^features\.(shell|view|goals|tool_)/.test(each),
      );
    assert.deepEqual(off({}), []);
    const restrictions = { network: true, fileSystem: false, execution: true };
    assert.deepEqual(off({ restrictions }), ['features.shell_tool=false']);
    assert.deepEqual(off({ tools: { allowed: [], blocked: ['write_stdin'] } }), [
      'features.shell_tool=false',
    ]);
    assert.deepEqual(off({}, { tools: ['apply_patch', 'view_image', 'tool_search'] }), [
      'features.shell_tool=false',
      'features.goals=false',
    ]);
  });
});
