/** The page of the throwaway extension's panel. */
import { provideVSCodeDesignSystem, vsCodeButton } from '@vscode/webview-ui-toolkit';

declare function acquireVsCodeApi(): { postMessage(message: unknown): void };

provideVSCodeDesignSystem().register(vsCodeButton());
const vscode = acquireVsCodeApi();
const answer = document.getElementById('answer');
window.addEventListener('message', (event: MessageEvent<{ echo: string }>) => {
  if (answer !== null) answer.textContent = `echo=${event.data.echo}`;
});
document.getElementById('go')?.addEventListener('click', () => vscode.postMessage('clicked'));
vscode.postMessage('load');
