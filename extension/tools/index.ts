/** The tools for the editor's own agents, and the MCP server that offers the same to others. */
import * as vscode from 'vscode';
import type { Clusters } from '../clusters/clusters.ts';
import type { Notify } from '../ide/notify.ts';
import { markdownText, plain } from '../ide/plain-text.ts';
import { registerMcpServer } from './mcp-server.ts';
import { TOOL_NAMES } from './tool-names.ts';
import type { SessionTool } from './tool.ts';

export interface ToolsDeps {
  clusters: Pick<Clusters, 'kubeconfig' | 'client'>;
  notify: Pick<Notify, 'log'>;
}

export function registerTools(
  context: Pick<vscode.ExtensionContext, 'extensionUri' | 'extension'>,
  { clusters, notify }: ToolsDeps,
): vscode.Disposable {
  // Editors that have no agents have no such interface either.
  const languageModels = Reflect.get(vscode, 'lm') as Partial<typeof vscode.lm> | undefined;
  if (languageModels?.registerTool === undefined) return { dispose: () => undefined };
  const register = languageModels.registerTool.bind(languageModels);
  return vscode.Disposable.from(
    registerMcpServer(context, languageModels, (error) => notify.log('offering the MCP server', error)),
    ...TOOL_NAMES.map((name) =>
      register<object>(name, {
        prepareInvocation: async ({ input }) => {
          const tool = await toolOf(name);
          const question = tool.question?.(input);
          return {
            invocationMessage: plain(tool.title, 100),
            ...(question === undefined
              ? {}
              : {
                  confirmationMessages: {
                    title: question.title,
                    message: new vscode.MarkdownString(
                      question.lines.map((line) => markdownText(line)).join('\n\n'),
                    ),
                  },
                }),
          };
        },
        invoke: async ({ input }, token) => {
          const abort = new AbortController();
          const subscription = token.onCancellationRequested(() =>
            abort.abort(new vscode.CancellationError()),
          );
          try {
            const [tool, { callTool }, { toolWorld }] = await Promise.all([
              toolOf(name),
              import('./call.ts'),
              import('./world.ts'),
            ]);
            const { text, isError } = await callTool(tool, input, toolWorld(clusters), abort.signal);
            notify.log(`tool ${name}${isError ? ': refused or failed' : ''}`);
            if (isError) throw new Error(text);
            return new vscode.LanguageModelToolResult([new vscode.LanguageModelTextPart(text)]);
          } finally {
            subscription.dispose();
          }
        },
      }),
    ),
  );
}

async function toolOf(name: string): Promise<SessionTool> {
  const { SESSION_TOOLS } = await import('./session-tools.ts');
  const found = SESSION_TOOLS.find((tool) => tool.name === name);
  if (found === undefined) throw new RangeError(`there is no tool ${name}`);
  return found;
}
