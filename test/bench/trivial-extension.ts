/** An extension that does next to nothing: what VS Code itself takes, beside which ours is measured. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const TRIVIAL = {
  id: 'ambient-test.trivial',
  view: 'ambientTest.trivial',
  /** Begins the labels of the rows below all others. */
  row: 'trivial row',
} as const;

/** Its view is as deep as the tree of sessions: a cluster, a namespace, a group, and rows. */
const SOURCE = `
import * as vscode from 'vscode';
const DEPTH = 3;
export function activate() {
  const treeDataProvider = {
    getTreeItem: ({ label, depth }) => {
      const item = new vscode.TreeItem(label, depth === DEPTH ? 0 : 2);
      item.accessibilityInformation = { label };
      return item;
    },
    getChildren: ({ depth } = { depth: -1 }) =>
      depth === DEPTH - 1
        ? Array.from({ length: 20 }, (_, index) => ({ label: '${TRIVIAL.row} ' + index, depth: DEPTH }))
        : [{ label: 'level ' + (depth + 1), depth: depth + 1 }],
  };
  return vscode.window.createTreeView('${TRIVIAL.view}', { treeDataProvider });
}
`;

/** Writes it into `folder` and returns that. */
export async function trivialExtension(folder: string): Promise<string> {
  const [publisher, name] = TRIVIAL.id.split('.');
  const manifest = {
    publisher,
    name,
    version: '0.0.1',
    engines: { vscode: '^1.100.0' },
    type: 'module',
    main: './extension.js',
    contributes: {
      viewsContainers: { activitybar: [{ id: 'ambientTest', title: 'Trivial', icon: 'icon.svg' }] },
      views: { ambientTest: [{ id: TRIVIAL.view, name: 'Rows', icon: 'icon.svg' }] },
    },
  };
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
  await writeFile(join(folder, 'extension.js'), SOURCE);
  await writeFile(
    join(folder, 'icon.svg'),
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16"/>',
  );
  return folder;
}
