/** What callers of `ambient.applyPatch` may ask for: for keys, other extensions and tests. */
import * as vscode from 'vscode';

export interface ApplyOptions {
  /** A folder of the workspace, or any other. Asked for when there are several. */
  folder?: vscode.Uri;
  /** The person has just seen the changes: asked only when something does not fit. */
  reviewed?: boolean;
  /** False: asks and tells nothing. Default true. */
  confirm?: boolean;
  /** Asks which of the changes are to be applied. */
  pick?: boolean;
  /** With confirm false: apply what fits although something does not. Default false: then nothing is applied. */
  rest?: boolean;
}

/** From a command's argument; a folder may be a path or an address. */
export function applyOptionsOf(value: unknown): ApplyOptions {
  const { folder, reviewed, confirm, pick, rest } = Object(value) as Record<string, unknown>;
  const uri =
    folder instanceof vscode.Uri
      ? folder
      : typeof folder === 'string'
        ? /^[a-z][a-z0-9+.-]+:\//i.test(folder)
          ? vscode.Uri.parse(folder)
          : vscode.Uri.file(folder)
        : undefined;
  return {
    ...(uri === undefined ? {} : { folder: uri }),
    ...(typeof reviewed === 'boolean' ? { reviewed } : {}),
    ...(typeof confirm === 'boolean' ? { confirm } : {}),
    ...(typeof pick === 'boolean' ? { pick } : {}),
    ...(typeof rest === 'boolean' ? { rest } : {}),
  };
}
