/** The settings of package.json, typed. Read each time, so that a change counts at once. */
import * as vscode from 'vscode';
import type { EmptyNamespaces } from '../clusters/namespaces.ts';
import { INSTALL_COMMAND } from '../clusters/problem.ts';
import type { TreeSettings } from '../tree/node.ts';

const SECTION = 'ambient';

export type AfterLaunch = 'session' | 'log' | 'nothing';

const get = <T>(key: string, standard: T): T =>
  vscode.workspace.getConfiguration(SECTION).get<T>(key) ?? standard;

const strings = (key: string): string[] => {
  const value = get<unknown>(key, []);
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
};

export const settings = {
  /** Path with ~ and ${env:NAME} as people write them; '' for the standard places. */
  kubeconfig: (): string => get('kubeconfig', ''),
  contexts: (): string[] => strings('contexts'),
  namespaces: (): string[] => strings('namespaces'),
  credentialTimeoutMs: (): number => get('credentialTimeoutSeconds', 15) * 1000,
  confirmStop: (): boolean => get('confirmStop', true),
  afterLaunch: (): AfterLaunch => get('afterLaunch', 'session'),
  notifyWhenFinished: (): boolean => get('notifyWhenFinished', true),
  notifyWhenInputNeeded: (): boolean => get('notifyWhenInputNeeded', true),
  notifyWhenApprovalNeeded: (): boolean => get('notifyWhenApprovalNeeded', true),
  /** Base address of the REST API of a context's cluster; undefined where none is set. */
  restUrl: (context: string): string | undefined => {
    const value: unknown = Reflect.get(Object(get<unknown>('restUrl', {})) as object, context);
    return typeof value === 'string' && value !== '' ? value : undefined;
  },
  installCommand: (): string => get('installCommand', INSTALL_COMMAND),
  tree: (): TreeSettings => ({
    contexts: strings('contexts'),
    pinned: strings('namespaces'),
    emptyNamespaces: get<EmptyNamespaces>('emptyNamespaces', 'auto'),
    finishedDays: get('finishedDays', 7),
  }),
};

/** Writes where the setting stands now, else to the user's settings. */
export async function updateSetting(key: 'contexts' | 'namespaces', value: string[]): Promise<void> {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  const found = configuration.inspect(key);
  const target =
    found?.workspaceFolderValue !== undefined || found?.workspaceValue !== undefined
      ? vscode.ConfigurationTarget.Workspace
      : vscode.ConfigurationTarget.Global;
  await configuration.update(key, value, target);
}

/** For all windows: where keys are sent to is no workspace's to say. */
export async function rememberRestUrl(context: string, url: string): Promise<void> {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  const known = configuration.inspect<Record<string, string>>('restUrl')?.globalValue;
  await configuration.update('restUrl', { ...known, [context]: url }, vscode.ConfigurationTarget.Global);
}

/** Keys of the section that decide what the tree shows. */
export const TREE_SETTINGS = ['contexts', 'namespaces', 'emptyNamespaces', 'finishedDays'] as const;

export const affects = (event: vscode.ConfigurationChangeEvent, ...keys: string[]): boolean =>
  keys.some((key) => event.affectsConfiguration(`${SECTION}.${key}`));
