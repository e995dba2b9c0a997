/** Which artifact a command is meant for: it may come from a tree row, a page, a document, or just the active editor. */
import * as vscode from 'vscode';
import { isSessionRef } from '../sessions/session-ref.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { artifactPlace } from './artifact-uri.ts';
import type { ArtifactPlace } from './artifact-uri.ts';

/** `(ref, path)`, `(ref, artifact)`, `(node of the tree)`, `(uri)` or nothing, which is the active editor. */
export function targetOf(first: unknown, second: unknown): ArtifactPlace | undefined {
  return namedTarget(first, second) ?? fileAt(activeResource());
}

/** Only what the arguments say. */
export function namedTarget(first: unknown, second: unknown): ArtifactPlace | undefined {
  const path = typeof second === 'string' ? second : textAt(second, 'path');
  if (isSessionRef(first)) return path === undefined ? undefined : { ref: plainRef(first), path };
  const ref: unknown = Reflect.get(Object(first), 'ref');
  const nodePath = textAt(Reflect.get(Object(first), 'artifact'), 'path');
  if (isSessionRef(ref) && nodePath !== undefined) return { ref: plainRef(ref), path: nodePath };
  return first instanceof vscode.Uri ? fileAt(first) : undefined;
}

function fileAt(uri: vscode.Uri | undefined): ArtifactPlace | undefined {
  const place = uri === undefined ? undefined : artifactPlace(uri);
  return place?.path === '' ? undefined : place;
}

/** The session of a tree node or a document. */
export function sessionOf(first: unknown): SessionRef | undefined {
  if (isSessionRef(first)) return plainRef(first);
  const uri = first instanceof vscode.Uri ? first : activeResource();
  return uri === undefined ? undefined : artifactPlace(uri)?.ref;
}

function activeResource(): vscode.Uri | undefined {
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  if (input instanceof vscode.TabInputText || input instanceof vscode.TabInputCustom) return input.uri;
  return vscode.window.activeTextEditor?.document.uri;
}

const textAt = (value: unknown, key: string): string | undefined => {
  const text: unknown = Reflect.get(Object(value), key);
  return typeof text === 'string' ? text : undefined;
};

/** Without whatever else a tree node carries. */
const plainRef = ({ cluster, namespace, name, uid }: SessionRef): SessionRef => ({
  cluster,
  namespace,
  name,
  ...(uid === undefined || uid === '' ? {} : { uid }),
});
