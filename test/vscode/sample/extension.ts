/** The throwaway extension that proves the harness: one of everything that our own tests will touch. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as vscode from 'vscode';

const encoder = new TextEncoder();
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="120" height="80"><rect width="120" height="80" fill="#3a7"/></svg>`;
/** One red pixel. */
const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
  'base64',
);
const FILES: Readonly<Record<string, Uint8Array>> = {
  '/report.md': encoder.encode('# A report\n\nWith **bold** words and a chart:\n\n![chart](chart.svg)\n'),
  '/chart.svg': encoder.encode(SVG),
  '/dot.png': PNG,
  '/summary.json': encoder.encode('{\n  "lines": 42\n}\n'),
  '/long.log': encoder.encode(Array.from({ length: 5000 }, (_, n) => `line ${n + 1}\n`).join('')),
};

class SampleFiles implements vscode.FileSystemProvider {
  readonly #changes = new vscode.EventEmitter<vscode.FileChangeEvent[]>();
  readonly onDidChangeFile = this.#changes.event;
  watch(): vscode.Disposable {
    return new vscode.Disposable(() => undefined);
  }
  stat(uri: vscode.Uri): vscode.FileStat {
    if (uri.path === '/') return { type: vscode.FileType.Directory, ctime: 0, mtime: 0, size: 0 };
    const permissions = vscode.FilePermission.Readonly;
    return { type: vscode.FileType.File, ctime: 0, mtime: 1, size: this.readFile(uri).length, permissions };
  }
  readDirectory(): [string, vscode.FileType][] {
    return Object.keys(FILES).map((name) => [name.slice(1), vscode.FileType.File]);
  }
  readFile(uri: vscode.Uri): Uint8Array {
    const bytes = FILES[uri.path];
    if (bytes === undefined) throw vscode.FileSystemError.FileNotFound(uri);
    return bytes;
  }
  createDirectory(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }
  writeFile(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }
  delete(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }
  rename(uri: vscode.Uri): void {
    throw vscode.FileSystemError.NoPermissions(uri);
  }
}

class SampleTree implements vscode.TreeDataProvider<string> {
  getChildren(node?: string): string[] {
    if (node === undefined) return ['Fruit', ...Array.from({ length: 200 }, (_, n) => `Row ${n + 1}`)];
    return node === 'Fruit' ? ['Apple', 'Pear'] : [];
  }
  getTreeItem(node: string): vscode.TreeItem {
    const state = vscode.TreeItemCollapsibleState;
    const item = new vscode.TreeItem(node, node === 'Fruit' ? state.Collapsed : state.None);
    item.contextValue = 'node';
    item.description = node === 'Apple' ? 'red' : undefined;
    return item;
  }
}

function openPanel(context: vscode.ExtensionContext): void {
  const panel = vscode.window.createWebviewPanel('sample', 'Sample Panel', vscode.ViewColumn.One, {
    enableScripts: true,
    localResourceRoots: [vscode.Uri.file(path.join(context.extensionPath, 'dist'))],
  });
  const script = panel.webview.asWebviewUri(
    vscode.Uri.file(path.join(context.extensionPath, 'dist/panel.js')),
  );
  const nonce = Math.random().toString(36).slice(2);
  panel.webview.onDidReceiveMessage((message: unknown) => panel.webview.postMessage({ echo: message }));
  const policy = `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'unsafe-inline' ${panel.webview.cspSource}; font-src ${panel.webview.cspSource}`;
  panel.webview.html = `<!doctype html><html lang="en"><head><title>Sample</title>
    <meta http-equiv="Content-Security-Policy" content="${policy}"></head>
    <body><h1>Webview up</h1><vscode-button id="go">Go</vscode-button> <p id="answer"></p>
    <script nonce="${nonce}" src="${script.toString()}"></script></body></html>`;
}

async function ask(): Promise<void> {
  const fruit = await vscode.window.showQuickPick(['Apple', 'Apple pie', 'Pear'], { title: 'Which fruit' });
  if (fruit === undefined) return;
  const count = await vscode.window.showInputBox({
    title: 'How many',
    validateInput: (text) => (/^\d+$/.test(text) ? undefined : 'Give a whole number'),
  });
  await vscode.window.showInformationMessage(`${count ?? 'no'} × ${fruit}`);
}

async function confirm(): Promise<void> {
  const answer = await vscode.window.showWarningMessage('Really?', { modal: true }, 'Yes, really');
  const button = await vscode.window.showErrorMessage(`Answer: ${answer ?? 'none'}`, 'Try again');
  if (button !== undefined) await vscode.window.showInformationMessage('Tried again');
}

export function activate(context: vscode.ExtensionContext): object {
  const status = vscode.window.createStatusBarItem(vscode.StatusBarAlignment.Left);
  status.text = 'Sample ready';
  status.show();
  context.subscriptions.push(
    status,
    vscode.workspace.registerFileSystemProvider('sample', new SampleFiles(), { isReadonly: true }),
    vscode.window.createTreeView('sample.tree', { treeDataProvider: new SampleTree() }),
    vscode.commands.registerCommand('sample.hello', () =>
      vscode.window.showInformationMessage(`Hello from node ${process.versions.node}`),
    ),
    vscode.commands.registerCommand('sample.eat', (node: string) =>
      vscode.window.showInformationMessage(`Ate ${node}`),
    ),
    vscode.commands.registerCommand('sample.ask', ask),
    vscode.commands.registerCommand('sample.confirm', confirm),
    vscode.commands.registerCommand('sample.panel', () => openPanel(context)),
  );
  return {
    manifest: () =>
      JSON.parse(readFileSync(path.join(context.extensionPath, 'package.json'), 'utf8')) as object,
    environment: () => Object.keys(process.env),
  };
}
