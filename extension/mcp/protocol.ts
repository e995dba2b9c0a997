/**
 * The part of the Model Context Protocol that a server with tools needs: JSON-RPC 2.0, a message a line.
 * https://modelcontextprotocol.io/specification/2025-06-18
 */
import { messageOf } from '../../common/errors.ts';

/** Versions whose tools are as we offer them; the newest first. */
export const PROTOCOL_VERSIONS = ['2025-06-18', '2025-03-26', '2024-11-05'] as const;

export type Id = string | number;

export interface McpTool {
  name: string;
  title: string;
  description: string;
  inputSchema: Record<string, unknown>;
  annotations: { readOnlyHint: boolean; destructiveHint: boolean; openWorldHint: boolean };
}

export interface McpHandlers {
  tools: () => readonly McpTool[];
  /** Undefined: there is no such tool. */
  call: (
    name: string,
    input: unknown,
    signal: AbortSignal,
  ) => Promise<{ text: string; isError: boolean } | undefined>;
}

export interface McpServerOptions {
  name: string;
  version: string;
  handlers: McpHandlers;
  /** Writes one message. */
  send: (message: object) => void;
}

const INVALID_REQUEST = -32600;
const PARSE_ERROR = -32700;
const NO_METHOD = -32601;
const INVALID_PARAMS = -32602;
const INTERNAL = -32603;

class RpcError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.name = 'RpcError';
    this.code = code;
  }
}

const objectOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};

export class McpServer {
  readonly #options: McpServerOptions;
  readonly #running = new Map<Id, AbortController>();

  constructor(options: McpServerOptions) {
    this.#options = options;
  }

  /** One line from the client. Resolves when it is answered; never rejects. */
  async receive(line: string): Promise<void> {
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch {
      this.#fail(null, new RpcError(PARSE_ERROR, 'not JSON'));
      return;
    }
    const { jsonrpc, id, method, params } = objectOf(message);
    const isRequest = typeof id === 'string' || typeof id === 'number';
    if (jsonrpc !== '2.0' || typeof method !== 'string') {
      // Answers to what we never asked are nobody's.
      if (isRequest && method !== undefined) this.#fail(id, new RpcError(INVALID_REQUEST, 'no request'));
      return;
    }
    if (!isRequest) return this.#notified(method, objectOf(params));
    const abort = new AbortController();
    this.#running.set(id, abort);
    try {
      const result = await this.#answer(method, objectOf(params), abort.signal);
      if (!abort.signal.aborted) this.#options.send({ jsonrpc: '2.0', id, result });
    } catch (error) {
      if (!abort.signal.aborted) this.#fail(id, error);
    } finally {
      this.#running.delete(id);
    }
  }

  /** The client is gone: nothing goes on for it. */
  close(): void {
    for (const abort of this.#running.values()) abort.abort(new Error('the client is gone'));
  }

  #notified(method: string, { requestId }: Record<string, unknown>): void {
    if (method !== 'notifications/cancelled') return;
    if (typeof requestId === 'string' || typeof requestId === 'number')
      this.#running.get(requestId)?.abort(new Error('cancelled'));
  }

  async #answer(method: string, params: Record<string, unknown>, signal: AbortSignal): Promise<object> {
    const { name, version, handlers } = this.#options;
    switch (method) {
      case 'initialize': {
        const asked = PROTOCOL_VERSIONS.find((each) => each === params['protocolVersion']);
        return {
          protocolVersion: asked ?? PROTOCOL_VERSIONS[0],
          capabilities: { tools: {} },
          serverInfo: { name, version },
        };
      }
      case 'ping':
        return {};
      case 'tools/list':
        return { tools: handlers.tools() };
      case 'tools/call': {
        const tool = params['name'];
        if (typeof tool !== 'string') throw new RpcError(INVALID_PARAMS, 'a call names its tool');
        const answer = await handlers.call(tool, params['arguments'] ?? {}, signal);
        if (answer === undefined) throw new RpcError(INVALID_PARAMS, `there is no tool ${tool}`);
        return { content: [{ type: 'text', text: answer.text }], isError: answer.isError };
      }
      default:
        throw new RpcError(NO_METHOD, `there is no method ${method}`);
    }
  }

  #fail(id: Id | null, error: unknown): void {
    const code = error instanceof RpcError ? error.code : INTERNAL;
    this.#options.send({ jsonrpc: '2.0', id, error: { code, message: messageOf(error) } });
  }
}
