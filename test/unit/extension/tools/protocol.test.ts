/** The Model Context Protocol as far as it is spoken here. */
import assert from 'node:assert/strict';
import { McpServer } from '../../../../extension/mcp/protocol.ts';

describe('the protocol of the MCP server', () => {
  let sent: unknown[];
  let server: McpServer;
  let calls: { name: string; input: unknown; signal: AbortSignal }[];
  let release: () => void;

  beforeEach(() => {
    sent = [];
    calls = [];
    server = new McpServer({
      name: 'ambient-sessions',
      version: '1',
      send: (message) => sent.push(message),
      handlers: {
        tools: () => [],
        call: async (name, input, signal) => {
          calls.push({ name, input, signal });
          if (name === 'none') return undefined;
          if (name === 'breaks') throw new Error('broken');
          if (name === 'slow') await new Promise<void>((resolve) => (release = resolve));
          return { text: 'done', isError: false };
        },
      },
    });
  });

  const ask = (id: number | string, method: string, params?: object): Promise<void> =>
    server.receive(JSON.stringify({ jsonrpc: '2.0', id, method, params }));

  it('agrees on a version, lists and calls tools', async () => {
    await ask(1, 'initialize', { protocolVersion: '2025-03-26', capabilities: {} });
    await server.receive('{"jsonrpc":"2.0","method":"notifications/initialized"}');
    await ask('two', 'tools/list');
    await ask(3, 'tools/call', { name: 'x', arguments: { a: 1 } });
    await ask(4, 'ping');
    await ask(5, 'initialize', { protocolVersion: '1999-01-01' });
    assert.deepEqual(sent, [
      {
        jsonrpc: '2.0',
        id: 1,
        result: {
          protocolVersion: '2025-03-26',
          capabilities: { tools: {} },
          serverInfo: { name: 'ambient-sessions', version: '1' },
        },
      },
      { jsonrpc: '2.0', id: 'two', result: { tools: [] } },
      { jsonrpc: '2.0', id: 3, result: { content: [{ type: 'text', text: 'done' }], isError: false } },
      { jsonrpc: '2.0', id: 4, result: {} },
      {
        jsonrpc: '2.0',
        id: 5,
        result: {
          protocolVersion: '2025-06-18',
          capabilities: { tools: {} },
          serverInfo: { name: 'ambient-sessions', version: '1' },
        },
      },
    ]);
    assert.deepEqual(
      calls.map(({ name, input }) => [name, input]),
      [['x', { a: 1 }]],
    );
  });

  it('answers nonsense with what is wrong, and answers to nothing with nothing', async () => {
    await server.receive('{');
    await server.receive('[]');
    await server.receive('{"jsonrpc":"2.0","id":9,"result":{}}');
    await server.receive('{"jsonrpc":"1.0","id":1,"method":"ping"}');
    await ask(2, 'resources/list');
    await ask(3, 'tools/call', {});
    await ask(4, 'tools/call', { name: 'none' });
    await ask(5, 'tools/call', { name: 'breaks' });
    assert.deepEqual(
      sent.map((message) => {
        const { id, error } = message as { id: unknown; error: { code: number } };
        return [id, error.code];
      }),
      [
        [null, -32700],
        [1, -32600],
        [2, -32601],
        [3, -32602],
        [4, -32602],
        [5, -32603],
      ],
    );
  });

  it('drops what the client takes back, and all when it is gone', async () => {
    const slow = ask(1, 'tools/call', { name: 'slow' });
    await server.receive('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}');
    assert.equal(calls[0]?.signal.aborted, true);
    release();
    await slow;
    const other = ask(2, 'tools/call', { name: 'slow' });
    server.close();
    assert.equal(calls[1]?.signal.aborted, true);
    release();
    await other;
    assert.deepEqual(sent, []);
  });
});
