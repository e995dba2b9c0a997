/** A launch that the cluster refused is not lost: its YAML stays open, with the reasons beside the lines. `await import` it. */
import * as vscode from 'vscode';
import type { Session } from '../../common/api/session.ts';
import { messageOf } from '../../common/errors.ts';
import { KubeError } from '../../common/kube/errors.ts';
import { plain } from '../ide/plain-text.ts';
import { pathOfField, rangeOf } from '../ide/yaml-place.ts';
import { toYaml } from '../sessions/session-yaml.ts';
import type { CommandContext } from './context.ts';

/** Opens the YAML of a session that was answered together in the form. */
export async function keepOpen(
  context: CommandContext,
  cluster: string,
  session: Session,
  error: unknown,
): Promise<void> {
  const header = `Not launched: ${plain(messageOf(error), 400)}\nChange it, then “Launch Session from YAML”.`;
  const document = await vscode.workspace.openTextDocument({
    language: 'yaml',
    content: toYaml(session, { header }),
  });
  context.editing.set(document.uri.toString(), cluster);
  await vscode.window.showTextDocument(document, { preview: false });
  showRefusal(context, document, error);
}

/** What the server names of the document's fields; nothing where it names none. */
export function showRefusal(
  { diagnostics }: Pick<CommandContext, 'diagnostics'>,
  document: vscode.TextDocument,
  error: unknown,
): void {
  const causes = error instanceof KubeError ? (error.kubeStatus?.details?.causes ?? []) : [];
  const text = document.getText();
  diagnostics.set(
    document.uri,
    causes.flatMap(({ field, message }) => {
      if (field === undefined || message === undefined) return [];
      const { from, to } = rangeOf(text, pathOfField(field));
      const range = new vscode.Range(document.positionAt(from), document.positionAt(to));
      const diagnostic = new vscode.Diagnostic(range, message, vscode.DiagnosticSeverity.Error);
      diagnostic.source = 'Ambient';
      return [diagnostic];
    }),
  );
}
