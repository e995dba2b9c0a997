/** A node's view as VS Code wants it. */
import * as vscode from 'vscode';
import type { NodeView } from './node.ts';

const STATES: Readonly<Record<NodeView['collapsible'], vscode.TreeItemCollapsibleState>> = {
  none: vscode.TreeItemCollapsibleState.None,
  collapsed: vscode.TreeItemCollapsibleState.Collapsed,
  expanded: vscode.TreeItemCollapsibleState.Expanded,
};

export function treeItem(view: NodeView): vscode.TreeItem {
  const item = new vscode.TreeItem(view.label, STATES[view.collapsible]);
  item.id = view.id;
  item.accessibilityInformation = { label: view.spoken };
  if (view.description !== undefined) item.description = view.description;
  if (view.tooltip !== undefined) item.tooltip = new vscode.MarkdownString(view.tooltip);
  if (view.context !== undefined) item.contextValue = view.context;
  if (view.command !== undefined) item.command = view.command;
  const { icon } = view;
  if (icon !== undefined && 'filePath' in icon) {
    item.iconPath = vscode.ThemeIcon.File;
    // Only for the icon of the file theme; a scheme of its own, so that no decorations of other files apply.
    item.resourceUri = vscode.Uri.from({ scheme: 'ambient-icon', path: `/${icon.filePath}` });
  } else if (icon !== undefined) {
    const color = icon.color === undefined ? undefined : new vscode.ThemeColor(icon.color);
    item.iconPath = new vscode.ThemeIcon(icon.id, color);
  }
  return item;
}
