/** What a person types into the document in front, and saves. */
import type { VscodeWindow } from '../vscode/launch.ts';

/** Replaces what matches. Throws when nothing does. */
export const edit = (window: VscodeWindow, pattern: string, by: string): Promise<null> =>
  window.inHost(
    async (vscode, [from, to]) => {
      for (;;) {
        const editor = vscode.window.activeTextEditor;
        const text = editor?.document.getText() ?? '';
        const next = text.replace(new RegExp(from, 'm'), to);
        if (editor === undefined || next === text) throw new Error(`${from} matches nothing in: ${text}`);
        const whole = new vscode.Range(0, 0, editor.document.lineCount, 0);
        if (await editor.edit((change) => change.replace(whole, next))) return null;
        // What was saved VS Code reads again, and then takes no edit of the text before.
      }
    },
    [pattern, by] as const,
  );

/** Whether it was saved. */
export const save = (window: VscodeWindow): Promise<boolean> =>
  window.inHost(async (vscode) => (await vscode.window.activeTextEditor?.document.save()) === true);
