/** Shows an SVG artifact as a picture in a page that runs no script but its own: `ambient.artifact`, a read-only custom editor. */
import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import { PICTURE_PAGE_REQUESTS } from '../../common/api/picture-page.ts';
import type { PicturePageRequest, PicturePageUpdate } from '../../common/api/picture-page.ts';
import { messageOf } from '../../common/errors.ts';
import { plain } from '../ide/plain-text.ts';
import { refKey } from '../sessions/session-ref.ts';
import { artifactPlace } from './artifact-uri.ts';
import type { ArtifactPlace } from './artifact-uri.ts';
import type { ArtifactChanges } from './changes.ts';
import type { LiveArtifacts } from './live.ts';
import { pictureHtml } from './picture-html.ts';

export const PICTURE_EDITOR = 'ambient.artifact';

export interface PictureEditorOptions {
  extensionUri: vscode.Uri;
  live: LiveArtifacts;
  changes: ArtifactChanges;
  background: (doing: string, work: PromiseLike<unknown>) => void;
}

export class PictureEditor implements vscode.CustomReadonlyEditorProvider {
  readonly #options: PictureEditorOptions;

  constructor(options: PictureEditorOptions) {
    this.#options = options;
  }

  openCustomDocument(uri: vscode.Uri): vscode.CustomDocument {
    return { uri, dispose: () => undefined };
  }

  resolveCustomEditor({ uri }: vscode.CustomDocument, panel: vscode.WebviewPanel): void {
    const { extensionUri, changes, background } = this.#options;
    const place = artifactPlace(uri);
    const { webview } = panel;
    const dist = vscode.Uri.joinPath(extensionUri, 'dist', 'webview');
    webview.options = { enableScripts: true, localResourceRoots: [dist] };
    const post = async (update: PicturePageUpdate): Promise<void> => void (await webview.postMessage(update));
    const show = async (): Promise<void> => post(await this.#picture(place));
    const handlers: Record<PicturePageRequest, () => PromiseLike<unknown>> = {
      ready: show,
      openAsText: () => vscode.commands.executeCommand('ambient.openArtifactAsText', uri),
      save: () => vscode.commands.executeCommand('ambient.saveArtifact', uri),
    };
    const subscriptions: { dispose(): void }[] = [
      webview.onDidReceiveMessage((message: unknown) => {
        const request = PICTURE_PAGE_REQUESTS.find((each) => each === message);
        if (request !== undefined) background(`answering ${request} of a picture`, handlers[request]());
      }),
    ];
    if (place !== undefined)
      subscriptions.push(
        changes.hold(place.ref),
        changes.onChange(({ ref, changes: all }) => {
          const isOurs = refKey(ref) === refKey(place.ref);
          if (isOurs && all.some(({ path }) => path === place.path)) background('showing a picture', show());
        }),
      );
    panel.onDidDispose(() => {
      for (const subscription of subscriptions) subscription.dispose();
    });
    webview.html = pictureHtml({
      title: plain(place?.path ?? 'Artifact'),
      cspSource: webview.cspSource,
      scriptUri: webview.asWebviewUri(vscode.Uri.joinPath(dist, 'artifact.js')).toString(),
      nonce: randomBytes(16).toString('hex'),
    });
  }

  async #picture(place: ArtifactPlace | undefined): Promise<PicturePageUpdate> {
    try {
      if (place === undefined) throw new Error('This is no artifact of a session.');
      const { readArtifact } = await import('./reading.ts');
      const { bytes } = await readArtifact(this.#options.live, place.ref, place.path);
      // A copy: a small Buffer is a view of a pool that it would drag along.
      const payload = {
        name: plain(place.path.slice(place.path.lastIndexOf('/') + 1)),
        contentType: 'image/svg+xml',
        bytes: new Uint8Array(bytes),
      };
      return { type: 'picture', payload };
    } catch (error) {
      return { type: 'problem', payload: { message: plain(messageOf(error), 600) } };
    }
  }
}
