/** Every context key that package.json's when clauses may ask for: a closed list, checked by a test. */
import * as vscode from 'vscode';
import type { ProblemKind } from '../clusters/problem.ts';

/** `tree`: there are rows to show. `loading`: not known yet. Otherwise which welcome view stands in their place. */
export type ViewState = 'loading' | 'tree' | ProblemKind;

export interface ContextKeys {
  'ambient.view': ViewState;
  /** The active editor holds the YAML of a Session. */
  'ambient.isSessionYaml': boolean;
  /** The log in the active editor is being followed. */
  'ambient.logFollowed': boolean;
  /** The active tab compares a folder with what a patch would make of it. */
  'ambient.patchReview': boolean;
}

export async function setContextKey<K extends keyof ContextKeys>(
  key: K,
  value: ContextKeys[K],
): Promise<void> {
  await vscode.commands.executeCommand('setContext', key, value);
}
