/** In the document about an event, the path of the whole payload is a link that opens it. */
import * as vscode from 'vscode';
import type { SessionRef } from '../sessions/session-ref.ts';
import { payloadPlace } from './payload-line.ts';

export const payloadLinks = (refOf: (uri: vscode.Uri) => SessionRef): vscode.DocumentLinkProvider => ({
  provideDocumentLinks(document) {
    const place = payloadPlace(document.getText());
    if (place === undefined) return [];
    const given = encodeURIComponent(JSON.stringify([refOf(document.uri), place.path]));
    const link = new vscode.DocumentLink(
      new vscode.Range(document.positionAt(place.from), document.positionAt(place.to)),
      vscode.Uri.parse(`command:ambient.openArtifact?${given}`),
    );
    link.tooltip = 'Open the whole payload';
    return [link];
  },
});
