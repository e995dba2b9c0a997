/** What is used of the editor's own git extension: https://github.com/microsoft/vscode/blob/main/extensions/git/src/api/git.d.ts */
import * as vscode from 'vscode';

export interface GitRepository {
  readonly rootUri: vscode.Uri;
  readonly state: {
    readonly remotes: readonly {
      readonly name: string;
      readonly fetchUrl?: string;
      readonly pushUrl?: string;
    }[];
    readonly workingTreeChanges: readonly unknown[];
    readonly indexChanges: readonly unknown[];
    readonly mergeChanges: readonly unknown[];
  };
  fetch(remote: string, ref: string): Promise<void>;
  /** Rejects where there is none. */
  getBranch(name: string): Promise<unknown>;
  createBranch(name: string, checkout: boolean, ref: string): Promise<void>;
  setBranchUpstream(name: string, upstream: string): Promise<void>;
  checkout(name: string): Promise<void>;
}

interface GitExtension {
  getAPI(version: 1): { readonly repositories: readonly GitRepository[] };
}

/** Those that are open; undefined where git is switched off or not there. */
export async function openRepositories(): Promise<readonly GitRepository[] | undefined> {
  try {
    const extension = vscode.extensions.getExtension<GitExtension>('vscode.git');
    return extension === undefined ? undefined : (await extension.activate()).getAPI(1).repositories;
  } catch {
    return undefined;
  }
}
