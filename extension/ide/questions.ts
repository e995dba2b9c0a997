/** Quick picks and input boxes of one wizard: numbered, with a way back, staying open when focus goes elsewhere. */
import * as vscode from 'vscode';
import type { Place } from './wizard.ts';

export type Answer<T> = { go: 'next'; value: T } | { go: 'back' } | { go: 'cancel' };

export interface Choice<T> {
  label: string;
  value: T;
  description?: string;
  detail?: string;
  /** A heading: cannot be chosen. */
  separator?: boolean;
}

export interface PickQuestion<T> extends Place {
  title: string;
  placeholder: string;
  /** May take a while: the question is shown as busy meanwhile. */
  choices: readonly Choice<T>[] | Promise<readonly Choice<T>[]>;
  /** The choice that is active at first. */
  active?: (value: T) => boolean;
}

export interface InputQuestion extends Place {
  title: string;
  prompt: string;
  value?: string;
  placeholder?: string;
  check?: (text: string) => string | undefined;
  /** May have several lines: a button opens an editor for it. */
  multiline?: boolean;
}

/** What wizard steps ask with: VS Code's here, a script in tests. */
export interface Questions {
  pick<T>(question: PickQuestion<T>): Promise<Answer<T>>;
  input(question: InputQuestion): Promise<Answer<string>>;
}

const EDIT = Symbol('edit');
const EDIT_BUTTON: vscode.QuickInputButton = {
  iconPath: new vscode.ThemeIcon('edit'),
  tooltip: 'Write several lines in an editor',
};

interface Item<T> extends vscode.QuickPickItem {
  choice?: Choice<T>;
}

export class QuickQuestions implements Questions {
  /** Rejects when `choices` does. */
  async pick<T>(question: PickQuestion<T>): Promise<Answer<T>> {
    const box = vscode.window.createQuickPick<Item<T>>();
    box.placeholder = question.placeholder;
    box.matchOnDescription = true;
    box.matchOnDetail = true;
    const load = async (): Promise<void> => {
      box.busy = true;
      const choices = await question.choices;
      box.items = choices.map((choice) => itemOf(choice));
      const { active } = question;
      if (active !== undefined)
        box.activeItems = box.items.filter(({ choice }) => choice !== undefined && active(choice.value));
      box.busy = false;
    };
    return await shown(box, question, (settle, fail) => {
      load().catch(fail);
      box.onDidAccept(() => {
        const choice = box.selectedItems[0]?.choice;
        if (choice !== undefined) settle({ go: 'next', value: choice.value });
      });
    });
  }

  async input(question: InputQuestion): Promise<Answer<string>> {
    const { value: before = '', check = () => undefined } = question;
    // One line is all that a box can hold; what has several stays as it is while the box is empty.
    const hasLines = before.includes('\n');
    const box = vscode.window.createInputBox();
    box.prompt = question.prompt;
    box.value = hasLines ? '' : before;
    box.placeholder = hasLines
      ? `${before.trimEnd().split('\n').length} lines: Enter keeps them, the pencil opens them`
      : (question.placeholder ?? '');
    const given = (): string => (hasLines && box.value === '' ? before : box.value);
    const answer = await shown<string | typeof EDIT>(box, question, (settle) => {
      // While typing only what was complained about is checked: nobody wants a scolding at the first letter.
      box.onDidChangeValue(() => {
        if (box.validationMessage !== undefined) box.validationMessage = check(given());
      });
      box.onDidAccept(() => {
        box.validationMessage = check(given());
        if (box.validationMessage === undefined) settle({ go: 'next', value: given() });
      });
      if (question.multiline !== true) return;
      box.buttons = [...box.buttons, EDIT_BUTTON];
      box.onDidTriggerButton((button) => {
        if (button === EDIT_BUTTON) settle({ go: 'next', value: EDIT });
      });
    });
    if (answer.go !== 'next' || answer.value !== EDIT) return answer as Answer<string>;
    return await this.#inEditor(question, given());
  }

  /** The text in an editor; the question stays above it until the text is taken. */
  async #inEditor(question: InputQuestion, before: string): Promise<Answer<string>> {
    const document = await vscode.workspace.openTextDocument({ language: 'markdown', content: before });
    await vscode.window.showTextDocument(document, { preview: false });
    const answer = await this.pick<'use'>({
      ...question,
      canGoBack: true,
      placeholder: `${question.prompt} (in the editor below)`,
      choices: [{ label: '$(check) Use this text', value: 'use' }],
    });
    const text = document.getText();
    if (!document.isClosed) {
      await vscode.window.showTextDocument(document);
      await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
    }
    if (answer.go === 'cancel') return answer;
    // Back is back to the box, with what was there before.
    if (answer.go === 'back') return await this.input({ ...question, value: before });
    const problem = question.check?.(text);
    if (problem === undefined) return { go: 'next', value: text };
    return await this.input({ ...question, value: text, prompt: problem });
  }
}

function itemOf<T>(choice: Choice<T>): Item<T> {
  const { label, description, detail, separator } = choice;
  if (separator === true) return { label, kind: vscode.QuickPickItemKind.Separator };
  return {
    label,
    choice,
    ...(description === undefined ? {} : { description }),
    ...(detail === undefined ? {} : { detail }),
  };
}

/** Shows a box until it settles, with everything that picks and inputs have in common. */
async function shown<T>(
  box: vscode.QuickPick<vscode.QuickPickItem> | vscode.InputBox,
  { title, step, total, canGoBack }: Place & { title: string },
  wire: (settle: (answer: Answer<T>) => void, fail: (error: unknown) => void) => void,
): Promise<Answer<T>> {
  box.title = title;
  box.step = step;
  box.totalSteps = total;
  // Looking something up in the editor must not lose the answers.
  box.ignoreFocusOut = true;
  box.buttons = canGoBack ? [vscode.QuickInputButtons.Back] : [];
  try {
    return await new Promise<Answer<T>>((resolve, reject) => {
      wire(resolve, reject);
      box.onDidTriggerButton((button) => {
        if (button === vscode.QuickInputButtons.Back) resolve({ go: 'back' });
      });
      box.onDidHide(() => resolve({ go: 'cancel' }));
      box.show();
    });
  } finally {
    box.dispose();
  }
}
