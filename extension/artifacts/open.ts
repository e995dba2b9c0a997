/** Opens an artifact the way people would rather look at it. */
import * as vscode from 'vscode';
import { formatBytes } from '../../common/rules/wording.ts';
import { plainMessage } from '../ide/plain-text.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { artifactUri } from './artifact-uri.ts';
import type { LiveArtifacts } from './live.ts';
import { openingOf } from './opening.ts';
import { PICTURE_EDITOR } from './picture-editor.ts';
import { maxOpenBytes, TooLarge } from './reading.ts';

const TEXT_EDITOR = 'default';

/** Throws not_found, TooLarge, and what the cluster refuses with. */
export async function openArtifact(live: LiveArtifacts, ref: SessionRef, path: string): Promise<void> {
  const artifact = await live.find(ref, path);
  const uri = vscode.Uri.from(artifactUri(ref, path));
  const opening = openingOf(artifact);
  const maxBytes = maxOpenBytes();
  if (artifact.size > maxBytes) throw new TooLarge(artifact, maxBytes);
  switch (opening) {
    case 'markdown':
      await vscode.commands.executeCommand('markdown.showPreview', uri);
      return;
    case 'picture':
      await vscode.commands.executeCommand('vscode.openWith', uri, PICTURE_EDITOR);
      return;
    case 'image':
    case 'media':
      await vscode.commands.executeCommand('vscode.open', uri);
      return;
    case 'patch':
      await vscode.commands.executeCommand('ambient.reviewPatch', ref, path);
      return;
    case 'text':
      // Never with another editor: HTML of an agent is read here, not rendered.
      await vscode.commands.executeCommand('vscode.openWith', uri, TEXT_EDITOR);
      return;
    case 'binary': {
      const kind = `${artifact.contentType}, ${formatBytes(artifact.size)}`;
      const choice = await vscode.window.showInformationMessage(
        plainMessage(`${path} is a binary file (${kind}).`),
        'Save As…',
        'Open Anyway',
      );
      if (choice === 'Save As…') await vscode.commands.executeCommand('ambient.saveArtifact', ref, path);
      if (choice === 'Open Anyway') await vscode.commands.executeCommand('vscode.open', uri);
    }
  }
}

export async function openAsText(ref: SessionRef, path: string): Promise<void> {
  const uri = vscode.Uri.from(artifactUri(ref, path));
  await vscode.commands.executeCommand('vscode.openWith', uri, TEXT_EDITOR);
}
