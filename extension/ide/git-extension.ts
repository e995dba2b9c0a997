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

interface GitApi {
  readonly state: 'uninitialized' | 'initialized';
  readonly onDidChangeState: vscode.Event<unknown>;
  readonly repositories: readonly GitRepository[];
}

interface GitExtension {
  getAPI(version: 1): GitApi;
}

/** It looks for repositories when a window opens; a person does not wait for it any longer. */
const LOOKED_MS = 5000;

/** Those that are open; undefined where git is switched off or not there. */
export async function openRepositories(): Promise<readonly GitRepository[] | undefined> {
  try {
    const extension = vscode.extensions.getExtension<GitExtension>('vscode.git');
    if (extension === undefined) return undefined;
    const api = (await extension.activate()).getAPI(1);
    if (api.state !== 'initialized') await looked(api);
    return api.repositories;
  } catch {
    return undefined;
  }
}

const looked = ({ onDidChangeState }: GitApi): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      subscription.dispose();
      resolve();
    };
    const timer = setTimeout(done, LOOKED_MS);
    const subscription = onDidChangeState(done);
  });
