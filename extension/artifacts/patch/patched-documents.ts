/** The right-hand sides of reviews: files as they would be, kept while somebody looks at them. */
import * as vscode from 'vscode';
import { setContextKey } from '../../ide/context-keys.ts';
import { refKey } from '../../sessions/session-ref.ts';
import type { ArtifactPlace } from '../artifact-uri.ts';

export const PATCHED_SCHEME = 'ambient-patched';

export interface Review {
  /** Title of the tab, by which the tab is found again. */
  title: string;
  place: ArtifactPlace;
  folder: vscode.Uri;
}

interface Kept extends Review {
  id: number;
  contents: Map<string, Buffer>;
}

/** Reviews whose contents are kept at once: more tabs than that nobody compares. */
const KEPT_MAX = 8;

export class PatchedDocuments implements vscode.TextDocumentContentProvider {
  #kept: Kept[] = [];
  #last = 0;
  readonly #subscriptions: vscode.Disposable;

  constructor() {
    this.#subscriptions = vscode.Disposable.from(
      vscode.workspace.registerTextDocumentContentProvider(PATCHED_SCHEME, this),
      vscode.window.tabGroups.onDidChangeTabs(() => this.#onTabs()),
      vscode.window.tabGroups.onDidChangeTabGroups(() => this.#onTabs()),
    );
  }

  /** Addresses for the contents of a review; by path of a Uri, both. */
  add(review: Review, contents: ReadonlyMap<string, Buffer>): Map<string, vscode.Uri> {
    const id = (this.#last += 1);
    this.#kept = [...this.#kept.slice(1 - KEPT_MAX), { ...review, id, contents: new Map(contents) }];
    return new Map(
      Array.from(contents.keys(), (path) => [
        path,
        vscode.Uri.from({ scheme: PATCHED_SCHEME, path, query: String(id) }),
      ]),
    );
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    const review = this.#kept.find(({ id }) => String(id) === uri.query);
    const content = review?.contents.get(uri.path);
    return content === undefined
      ? 'This review is over. Open the patch again to see it.\n'
      : content.toString('utf8').replace(/^\ufeff/, '');
  }

  /** The review in the active tab. */
  active(): Review | undefined {
    const label = vscode.window.tabGroups.activeTabGroup.activeTab?.label;
    return label === undefined ? undefined : this.#kept.findLast(({ title }) => label.startsWith(title));
  }

  /** Tabs of reviews of a patch are of no more use once it is applied. */
  async closeFor({ ref, path }: ArtifactPlace): Promise<void> {
    const titles = this.#kept
      .filter(({ place }) => refKey(place.ref) === refKey(ref) && place.path === path)
      .map(({ title }) => title);
    const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
    const over = tabs.filter(({ label }) => titles.some((title) => label.startsWith(title)));
    if (over.length > 0) await vscode.window.tabGroups.close(over);
  }

  dispose(): void {
    this.#subscriptions.dispose();
    this.#kept = [];
  }

  #onTabs(): void {
    setContextKey('ambient.patchReview', this.active() !== undefined).catch(() => undefined);
  }
}
