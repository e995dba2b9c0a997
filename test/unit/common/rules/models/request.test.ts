import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { ModelProvider } from '../../../../../common/api/models.ts';
import { RequestProblem } from '../../../../../common/rules/models/protocol.ts';
import type { ModelRequest } from '../../../../../common/rules/models/protocol.ts';
import { modelRoute } from '../../../../../common/rules/models/routes.ts';

function read(provider: ModelProvider, path: string, body: unknown): ModelRequest {
  const route = modelRoute(provider, path);
  assert.ok(route !== undefined, path);
  return route.protocol.request(body, path);
}

const messages = (more: object = {}) =>
  read('anthropic', '/v1/messages', {
    model: 'claude-sonnet-4-6',
    max_tokens: 32_000,
    messages: [],
    ...more,
  });
const responses = (more: object = {}) => read('openai', '/v1/responses', { model: 'gpt-5.3-codex', ...more });
const chat = (more: object = {}) => read('openai', '/v1/chat/completions', { model: 'gpt-5.4', ...more });
const generate = (more: object = {}, method = 'generateContent') =>
  read('gemini', `/v1beta/models/gemini-2.5-pro:${method}`, { contents: [], ...more });

describe('what a request to a model asks for', () => {
  it('its model, whether it streams, and how much may come out', () => {
    for (const { model, isStream, maxOutput } of [
      messages({ stream: true }),
      { ...responses({ stream: true, max_output_tokens: 32_000 }), model: 'claude-sonnet-4-6' },
    ])
      assert.deepEqual([model, isStream, maxOutput], ['claude-sonnet-4-6', true, 32_000]);
    assert.equal(responses().maxOutput, undefined);
    assert.equal(chat({ max_completion_tokens: 5, max_tokens: 9 }).maxOutput, 5);
    assert.equal(chat({ n: 3 }).answers, 3);
    const streamed = generate(
      { generationConfig: { maxOutputTokens: 7, candidateCount: 2 } },
      'streamGenerateContent',
    );
    assert.deepEqual(
      [streamed.model, streamed.isStream, streamed.maxOutput, streamed.answers],
      ['gemini-2.5-pro', true, 7, 2],
    );
  });

  it('its tools, and which of them the provider would run itself', () => {
    const anthropic = messages({
      tools: [
        { name: 'Bash', input_schema: {} },
        { type: 'custom', name: 'Read' },
        { type: 'bash_20250124', name: 'bash' },
        { type: 'web_search_20250305', name: 'web_search', max_uses: 8 },
        { type: 'mcp_toolset', mcp_server_name: 'jira' },
      ],
      mcp_servers: [{ type: 'url', name: 'jira', url: 'https://mcp.example.com' }],
    });
    assert.deepEqual(anthropic.tools, ['Bash', 'Read', 'bash']);
    assert.deepEqual(anthropic.serverTools, ['web_search', 'jira', 'jira']);
    const openai = responses({
      tools: [
        { type: 'function', name: 'exec_command' },
        { type: 'custom', name: 'apply_patch' },
        { type: 'local_shell' },
        { type: 'web_search', external_web_access: false },
        { type: 'mcp', server_label: 'jira' },
        { type: 'shell', environment: { type: 'container_auto' } },
        { type: 'namespace', name: 'mine', tools: [{ type: 'function', name: 'inner' }] },
      ],
    });
    assert.deepEqual(openai.tools, ['exec_command', 'apply_patch', 'local_shell', 'inner']);
    assert.deepEqual(openai.serverTools, ['web_search', 'jira', 'shell']);
    const completions = chat({
      tools: [{ type: 'function', function: { name: 'run' } }],
      functions: [{ name: 'old' }],
      web_search_options: {},
    });
    assert.deepEqual([completions.tools, completions.serverTools], [['run', 'old'], ['web_search']]);
    const google = generate({
      tools: [
        { functionDeclarations: [{ name: 'run_shell_command' }] },
        { googleSearch: {} },
        { codeExecution: {} },
      ],
    });
    assert.deepEqual(
      [google.tools, google.serverTools],
      [['run_shell_command'], ['googleSearch', 'codeExecution']],
    );
  });

  it('what makes it cost something else than the price list says', () => {
    assert.deepEqual(messages({ service_tier: 'auto', speed: 'standard' }).surcharges, []);
    assert.deepEqual(messages({ speed: 'fast', inference_geo: 'us' }).surcharges, [
      'speed: "fast"',
      'inference_geo: "us"',
    ]);
    assert.equal(
      messages({
        context_management: { edits: [{ type: 'clear_thinking_20251015' }, { type: 'compact_20260112' }] },
      }).surcharges.length,
      1,
    );
    assert.equal(responses({ service_tier: 'priority', background: true }).surcharges.length, 2);
    assert.equal(chat({ audio: { voice: 'alloy' } }).surcharges.length, 1);
    assert.equal(
      generate({ generationConfig: { responseModalities: ['TEXT', 'IMAGE'] } }).surcharges.length,
      1,
    );
  });

  it('what goes in beyond its own bytes', () => {
    const block = (source: object, type = 'image') => ({
      messages: [{ role: 'user', content: [{ type, source }] }],
    });
    assert.deepEqual([messages().images, messages().isOpenEnded, messages().cache], [0, false, 'none']);
    assert.equal(messages(block({ type: 'base64', data: 'AA==' })).images, 1);
    assert.ok(messages(block({ type: 'url', url: 'https://example.com/a.png' })).isOpenEnded);
    assert.ok(messages(block({ type: 'base64', data: 'AA==' }, 'document')).isOpenEnded);
    assert.equal(
      messages({ system: [{ type: 'text', text: '', cache_control: { type: 'ephemeral' } }] }).cache,
      '5m',
    );
    assert.equal(messages({ cache_control: { type: 'ephemeral', ttl: '1h' } }).cache, '1h');
    assert.ok(responses({ previous_response_id: 'resp_1' }).isOpenEnded);
    assert.ok(!responses({ previous_response_id: null, input: 'text' }).isOpenEnded);
    const image = (image_url: string) => ({
      input: [{ role: 'user', content: [{ type: 'input_image', image_url }] }],
    });
    assert.equal(responses(image('data:image/png;base64,AA==')).images, 1);
    assert.ok(responses(image('https://example.com/a.png')).isOpenEnded);
    assert.equal(generate({ contents: [{ parts: [{ inlineData: { mimeType: 'image/png' } }] }] }).images, 1);
    assert.ok(generate({ contents: [{ parts: [{ fileData: { fileUri: 'x' } }] }] }).isOpenEnded);
  });

  it('nothing that cannot be told is taken', () => {
    let deep: unknown = 1;
    for (let depth = 0; depth < 100; depth++) deep = [deep];
    for (const ask of [
      () => messages({ model: '' }),
      () => messages({ model: 7 }),
      () => messages({ max_tokens: undefined }),
      () => messages({ max_tokens: -1 }),
      () => messages({ max_tokens: 1e99 }),
      () => messages({ messages: deep }),
      () => chat({ stream: true }),
      () => chat({ stream: true, stream_options: { include_usage: false } }),
    ])
      assert.throws(ask, RequestProblem);
  });

  it('other paths are not served', () => {
    for (const [provider, path] of [
      ['anthropic', '/v1/messages/batches'],
      ['anthropic', '/v1/files'],
      ['openai', '/v1/responses/resp_1'],
      ['openai', '/v1/images/generations'],
      ['gemini', '/v1beta/models/gemini-2.5-pro:batchGenerateContent'],
      ['gemini', '/v1beta/cachedContents'],
      ['gemini', '/v1beta/models/a/b:generateContent'],
    ] as const)
      assert.equal(modelRoute(provider, path), undefined, path);
    assert.equal(modelRoute('anthropic', '/v1/messages/count_tokens')?.isFree, true);
    assert.equal(read('anthropic', '/v1/messages/count_tokens', { model: 'm' }).model, 'm');
  });

  it('is refused or understood, whatever comes', () => {
    const bodies = fc.object({
      key: fc.constantFrom(
        'model',
        'max_tokens',
        'tools',
        'messages',
        'input',
        'contents',
        'type',
        'source',
        'n',
      ),
      maxDepth: 5,
    });
    fc.assert(
      fc.property(bodies, (body) => {
        for (const ask of [messages, responses, chat, generate])
          try {
            assert.equal(typeof ask(body).model, 'string');
          } catch (error) {
            if (!(error instanceof RequestProblem)) throw error;
          }
      }),
    );
  });
});
