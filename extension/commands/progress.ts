/** Work that is waited for: long with a notification that tells how far it is and has a button to cancel it, short in the status bar. */
import * as vscode from 'vscode';

/** What a cancelled promise rejects with: nothing to tell anybody. */
export class Cancelled extends Error {
  constructor() {
    super('cancelled');
    this.name = 'Cancelled';
  }
}

/** `report` takes a message, and where the share of the whole is known, a fraction from 0 to 1. Rejects with Cancelled. */
export async function withProgress<T>(
  title: string,
  work: (report: (message: string, fraction?: number) => void, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title, cancellable: true },
    async (progress, token) => {
      const controller = new AbortController();
      token.onCancellationRequested(() => controller.abort(new Cancelled()));
      let shown = 0;
      return await work((message, fraction) => {
        const percent = fraction === undefined ? shown : Math.round(fraction * 100);
        progress.report({ message, ...(percent > shown ? { increment: percent - shown } : {}) });
        shown = Math.max(shown, percent);
      }, controller.signal);
    },
  );
}

/** Of what ends soon by itself; nothing is shown of it in the first moment. */
export const inStatusBar = async <T>(title: string, work: () => Promise<T>): Promise<T> =>
  await vscode.window.withProgress({ location: vscode.ProgressLocation.Window, title }, work);
