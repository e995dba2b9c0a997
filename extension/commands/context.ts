/** What commands work with: made once in activate.ts. A command is a factory of it. */
import type * as vscode from 'vscode';
import type { Clusters } from '../clusters/clusters.ts';
import type { Rights } from '../clusters/rights.ts';
import type { Notify } from '../ide/notify.ts';
import type { Policies } from '../policies/policies.ts';
import type { LaunchedSessions } from '../sessions/launched.ts';
import type { PackedSources } from '../sessions/packed-sources.ts';
import type { PreviewDocuments } from '../sessions/preview-documents.ts';
import type { SessionsTree } from '../tree/sessions-tree.ts';

export interface CommandContext {
  clusters: Clusters;
  tree: SessionsTree;
  notify: Notify;
  rights: Rights;
  policies: Policies;
  output: vscode.LogOutputChannel;
  /** Remembers the answers of the last launch. */
  workspaceState: vscode.Memento;
  previews: PreviewDocuments;
  packed: PackedSources;
  /** Clusters of YAML editors that a review was turned into, by document address. */
  editing: Map<string, string>;
  launched: LaunchedSessions;
  diagnostics: vscode.DiagnosticCollection;
}

/** What VS Code or a caller hands to a command. */
export type CommandArguments = readonly unknown[];
export type Command = (context: CommandContext) => (...args: CommandArguments) => unknown;

/** Field of a tree node or of an object of arguments. */
export function textField(value: unknown, field: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const found: unknown = Reflect.get(value, field);
  return typeof found === 'string' && found !== '' ? found : undefined;
}
