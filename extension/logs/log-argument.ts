/** Which session a command on logs is about. */
import * as vscode from 'vscode';
import { isSessionRef } from '../sessions/session-ref.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { logPlace } from './log-uri.ts';

/** From a row of the tree, another command's argument or a document's address; else what the active editor shows. */
export function logArgument(given: unknown): SessionRef | undefined {
  if (isSessionRef(given)) {
    const { cluster, namespace, name, uid } = given;
    return { cluster, namespace, name, ...(uid === undefined || uid === '' ? {} : { uid }) };
  }
  const uri = given instanceof vscode.Uri ? given : vscode.window.activeTextEditor?.document.uri;
  return uri === undefined ? undefined : logPlace(uri);
}
