/**
 * Files of objects that are saved to the cluster, as YAML. What cannot be saved stays in the editor, unsaved, with the
 * reasons beside the lines.
 */
import * as vscode from 'vscode';
import type { KubeObject } from '../../common/api/kubernetes.ts';
import type { Clusters } from '../clusters/clusters.ts';
import type { Rights } from '../clusters/rights.ts';
import type { Notify } from '../ide/notify.ts';
import type { PreviewDocuments } from '../sessions/preview-documents.ts';
import type { ObjectKind, ObjectRef, YamlProblem } from './object-kind.ts';

const APPLY_MS = 30_000;
const COMPARE = 'Compare';
const OVERWRITE = 'Overwrite';

export interface ObjectFilesDeps {
  clusters: Pick<Clusters, 'client'>;
  rights: Pick<Rights, 'forget'>;
  previews: PreviewDocuments;
  notify: Notify;
}

interface File {
  /** As last read or written here: comments of the person stay while the object is the same. */
  text: string;
  version: string | undefined;
  /** Named by the text that was saved as `version`: one who types on at once is behind by nothing but their own save. */
  savedFrom?: { version: string | undefined };
  mtime: number;
}

export class ObjectFiles<T extends KubeObject> implements vscode.FileSystemProvider, vscode.Disposable {
  readonly #kind: ObjectKind<T>;
  readonly #deps: ObjectFilesDeps;
  readonly #diagnostics: vscode.DiagnosticCollection;
  readonly #files = new Map<string, File>();
  /** Texts that the cluster did not take, as long as what it said of them stands beside them. */
  readonly #refused = new Map<string, string>();
  readonly #changed = new vscode.EventEmitter<vscode.FileChangeEvent[]>();
  readonly #registered: vscode.Disposable;

  readonly onDidChangeFile = this.#changed.event;

  constructor(kind: ObjectKind<T>, deps: ObjectFilesDeps) {
    this.#kind = kind;
    this.#deps = deps;
    const { scheme } = kind;
    this.#diagnostics = vscode.languages.createDiagnosticCollection(scheme);
    this.#registered = vscode.Disposable.from(
      this.#changed,
      this.#diagnostics,
      vscode.workspace.registerFileSystemProvider(scheme, this, { isCaseSensitive: true }),
      // While VS Code saves it ignores changes; what it has saved it may read again.
      vscode.workspace.onDidSaveTextDocument(({ uri }) => {
        if (uri.scheme === scheme) this.#touch(uri);
      }),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => {
        if (uri.scheme !== scheme) return;
        this.#files.delete(uri.toString());
        this.#refused.delete(uri.toString());
      }),
    );
  }

  dispose(): void {
    this.#registered.dispose();
  }

  watch(): vscode.Disposable {
    return { dispose: () => undefined };
  }

  async stat(uri: vscode.Uri): Promise<vscode.FileStat> {
    const file = this.#files.get(uri.toString()) ?? (await this.#read(uri));
    return { type: vscode.FileType.File, ctime: 0, mtime: file.mtime, size: Buffer.byteLength(file.text) };
  }

  async readFile(uri: vscode.Uri): Promise<Uint8Array> {
    return Buffer.from((await this.#read(uri)).text);
  }

  /** Throws, and with it leaves the document unsaved, unless the cluster has taken the object. */
  async writeFile(uri: vscode.Uri, content: Uint8Array): Promise<void> {
    const ref = this.#placeOf(uri);
    const called = this.#kind.called(ref);
    const text = Buffer.from(content).toString('utf8');
    const [parsed, { withVersion }] = await Promise.all([
      this.#kind.parse(text, ref),
      import('./yaml-version.ts'),
    ]);
    this.#refused.delete(uri.toString());
    this.showProblems(uri, text, parsed.ok ? parsed.mistakes : parsed.problems);
    if (!parsed.ok) throw notSaved(parsed.problems[0]?.message ?? 'it is nothing of this kind');
    const named = parsed.object.metadata.resourceVersion;
    const applied = await this.#apply(ref, this.#caughtUp(uri, parsed.object), text);
    switch (applied.outcome) {
      case 'refused':
        this.showProblems(uri, text, applied.problems);
        this.#refused.set(uri.toString(), text);
        throw notSaved(applied.message);
      case 'conflict':
        delete this.#files.get(uri.toString())?.savedFrom;
        this.#deps.notify.background('a conflict', this.#settle(uri, ref, applied.current));
        throw notSaved(`${called} was changed in the cluster since it was opened here`);
      case 'applied': {
        const version = applied.object.metadata.resourceVersion;
        const kept = withVersion(text.replace(this.#kind.proposal, ''), version);
        this.#files.set(uri.toString(), {
          text: kept,
          version,
          savedFrom: { version: named },
          mtime: Date.now(),
        });
        this.#kind.applied(ref);
        this.#deps.notify.log(`applied ${called}`);
      }
    }
  }

  readDirectory(): never {
    throw vscode.FileSystemError.NoPermissions('There are no folders here.');
  }

  createDirectory(): never {
    throw vscode.FileSystemError.NoPermissions('There are no folders here.');
  }

  delete(): never {
    throw vscode.FileSystemError.NoPermissions('Nothing is deleted here.');
  }

  rename(): never {
    throw vscode.FileSystemError.NoPermissions('Nothing is renamed here.');
  }

  /** What the cluster said of this very text is more than what can be seen here. */
  showProblems(uri: vscode.Uri, text: string, problems: readonly YamlProblem[]): void {
    if (this.#refused.get(uri.toString()) === text) return;
    this.#refused.delete(uri.toString());
    const at = positionsIn(text);
    this.#diagnostics.set(
      uri,
      problems.map(({ message, severity, from, to }) => {
        const { Error, Warning } = vscode.DiagnosticSeverity;
        const range = new vscode.Range(at(from), at(to));
        const diagnostic = new vscode.Diagnostic(range, message, severity === 'error' ? Error : Warning);
        diagnostic.source = 'Ambient';
        return diagnostic;
      }),
    );
  }

  #placeOf(uri: vscode.Uri): ObjectRef {
    const ref = this.#kind.place(uri);
    if (ref === undefined || uri.toString() !== this.#kind.uri(ref).toString())
      throw vscode.FileSystemError.FileNotFound(uri);
    return ref;
  }

  #caughtUp(uri: vscode.Uri, object: T): T {
    const { savedFrom, version } = this.#files.get(uri.toString()) ?? {};
    const isBehind = savedFrom !== undefined && savedFrom.version === object.metadata.resourceVersion;
    if (!isBehind || version === undefined) return object;
    return { ...object, metadata: { ...object.metadata, resourceVersion: version } };
  }

  /** After a save is over: the document takes over the version that stands in the cluster now. */
  #touch(uri: vscode.Uri): void {
    const file = this.#files.get(uri.toString());
    if (file === undefined) return;
    // What is not newer than the save is not read again.
    this.#files.set(uri.toString(), { ...file, mtime: Math.max(Date.now(), file.mtime + 1) });
    this.#changed.fire([{ type: vscode.FileChangeType.Changed, uri }]);
  }

  async #read(uri: vscode.Uri): Promise<File> {
    const ref = this.#placeOf(uri);
    const known = this.#files.get(uri.toString());
    const found = await this.#kind.find(ref);
    const version = found?.metadata.resourceVersion;
    if (known !== undefined && known.version === version) return known;
    const text = found === undefined ? await this.#kind.fresh(ref) : await this.#kind.text(found);
    const file: File = { text, version, mtime: Date.now() };
    this.#files.set(uri.toString(), file);
    return file;
  }

  async #apply(ref: ObjectRef, object: T, text: string) {
    const { cluster, namespace } = ref;
    const [client, { applyObject }] = await Promise.all([
      this.#deps.clusters.client(cluster),
      import('./apply-object.ts'),
    ]);
    try {
      return await applyObject(client, this.#kind.resource, object, text, AbortSignal.timeout(APPLY_MS));
    } catch (error) {
      this.#deps.rights.forget(cluster, namespace);
      this.#deps.notify.failed(`apply ${this.#kind.called(ref)}`, error, cluster);
      throw notSaved(error instanceof Error ? error.message : String(error));
    }
  }

  /** The person's text stays; they look at what the cluster has, or put theirs above it. */
  async #settle(uri: vscode.Uri, ref: ObjectRef, current: T | undefined): Promise<void> {
    const { withoutVersion, withVersion } = await import('./yaml-version.ts');
    const called = this.#kind.called(ref);
    const what = current === undefined ? 'deleted' : 'changed';
    const answer = await vscode.window.showWarningMessage(
      `${capital(called)} was ${what} in the cluster since you opened it. Your text is not applied and stays here.`,
      ...(current === undefined ? [OVERWRITE] : [COMPARE, OVERWRITE]),
    );
    const document = vscode.workspace.textDocuments.find((each) => each.uri.toString() === uri.toString());
    if (answer === COMPARE && current !== undefined) {
      const theirs = await this.#deps.previews.show(
        `${called.replace(/^the /, '')} in the cluster`,
        await this.#kind.text(current),
      );
      const title = `${capital(called.replace(/^the /, ''))}: cluster ↔ yours`;
      await vscode.commands.executeCommand('vscode.diff', theirs, uri, title);
    } else if (answer === OVERWRITE && document !== undefined) {
      const version = current?.metadata.resourceVersion;
      const text = document.getText();
      const next = version === undefined ? withoutVersion(text) : withVersion(text, version);
      const edit = new vscode.WorkspaceEdit();
      edit.replace(uri, new vscode.Range(0, 0, document.lineCount, 0), next);
      await vscode.workspace.applyEdit(edit);
      await document.save();
    }
  }
}

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

const notSaved = (why: string): vscode.FileSystemError =>
  vscode.FileSystemError.Unavailable(`Not applied: ${why}`);

/** Of offsets in a text that may not be the document's any more. */
function positionsIn(text: string): (offset: number) => vscode.Position {
  return (offset) => {
    const before = text.slice(0, offset);
    const line = before.split('\n').length - 1;
    return new vscode.Position(line, offset - (before.lastIndexOf('\n') + 1));
  };
}
