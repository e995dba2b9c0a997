/** Offers the MCP server of this extension where the editor takes such offers: newer ones than the oldest we support. */
import { homedir } from 'node:os';
import * as vscode from 'vscode';
import { expandPath } from '../ide/expand-path.ts';
import { settings } from '../ide/settings.ts';

export const MCP_PROVIDER = 'ambient.sessions';

interface McpApi {
  registerMcpServerDefinitionProvider?: (
    id: string,
    provider: { provideMcpServerDefinitions: () => unknown[] },
  ) => vscode.Disposable;
}
type StdioDefinition = new (
  label: string,
  command: string,
  args: string[],
  env: Record<string, string>,
  version: string,
) => object;

export function registerMcpServer(
  { extensionUri, extension }: Pick<vscode.ExtensionContext, 'extensionUri' | 'extension'>,
  languageModels: object,
  onError: (error: unknown) => void,
): vscode.Disposable {
  const { registerMcpServerDefinitionProvider: register } = languageModels as McpApi;
  const Definition = Reflect.get(vscode, 'McpStdioServerDefinition') as StdioDefinition | undefined;
  if (register === undefined || Definition === undefined) return { dispose: () => undefined };
  const { version } = extension.packageJSON as { version: string };
  const provider = {
    provideMcpServerDefinitions: () => [
      new Definition(
        'Ambient Sessions',
        process.execPath,
        [vscode.Uri.joinPath(extensionUri, 'dist/mcp/main.mjs').fsPath],
        // The desktop's own executable is an editor unless told otherwise.
        { ELECTRON_RUN_AS_NODE: '1', ...kubeconfigOf() },
        version,
      ),
    ],
  };
  // An editor that offers this in another way has to do without it, not without the extension.
  try {
    return register.call(languageModels, MCP_PROVIDER, provider);
  } catch (error) {
    onError(error);
    return { dispose: () => undefined };
  }
}

function kubeconfigOf(): Record<string, string> {
  const path = expandPath(settings.kubeconfig(), process.env, homedir());
  return path === undefined || path === '' ? {} : { KUBECONFIG: path };
}
