/** The document of a page in its panel: where its script and style sheet lie, and a nonce of its own. */
import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import { pageHtml } from './page-html.ts';

/** `name` is that of the bundle in dist/webview. */
export function showDocument(
  { webview }: vscode.WebviewPanel,
  extensionUri: vscode.Uri,
  { name, title }: { name: string; title: string },
): void {
  const pages = vscode.Uri.joinPath(extensionUri, 'dist/webview');
  const uri = (file: string): string => webview.asWebviewUri(vscode.Uri.joinPath(pages, file)).toString();
  webview.options = { enableScripts: true, localResourceRoots: [pages] };
  webview.html = pageHtml({
    title,
    cspSource: webview.cspSource,
    scriptUri: uri(`${name}.js`),
    styleUri: uri(`${name}.css`),
    nonce: randomBytes(24).toString('hex'),
  });
}
