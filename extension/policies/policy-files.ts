/**
 * `ambient-policy:` files: a namespace's policy as YAML that is saved to the cluster. What cannot be saved stays in the
 * editor, unsaved, with the reasons beside the lines.
 */
import * as vscode from 'vscode';
import type { NamespacePolicy } from '../../common/api/namespace-policy.ts';
import type { PolicyRef } from '../../common/api/panels.ts';
import type { PoliciesDeps } from './index.ts';
import { POLICY_SCHEME, policyPlace, policyUri } from './policy-ref.ts';
import type { PolicyProblem } from './policy-yaml.ts';

/** Above a policy that is not there yet: makes the document one that can be saved. */
export const PROPOSAL = '# The namespace has no policy yet: this is a proposal, to be changed and saved.\n';
const APPLY_MS = 30_000;
const COMPARE = 'Compare';
const OVERWRITE = 'Overwrite';

interface File {
  /** As last read or written here: comments of the person stay while the object is the same. */
  text: string;
  version: string | undefined;
  /** Named by the text that was saved as `version`: one who types on at once is behind by nothing but their own save. */
  savedFrom?: { version: string | undefined };
  mtime: number;
}

export class PolicyFiles implements vscode.FileSystemProvider, vscode.Disposable {
  readonly #deps: PoliciesDeps;
  readonly #diagnostics: vscode.DiagnosticCollection;
  readonly #files = new Map<string, File>();
  readonly #changed = new vscode.EventEmitter<vscode.FileChangeEvent[]>();
  readonly #registered: vscode.Disposable;

  readonly onDidChangeFile = this.#changed.event;

  constructor(deps: PoliciesDeps, diagnostics: vscode.DiagnosticCollection) {
    this.#deps = deps;
    this.#diagnostics = diagnostics;
    this.#registered = vscode.Disposable.from(
      this.#changed,
      vscode.workspace.registerFileSystemProvider(POLICY_SCHEME, this, { isCaseSensitive: true }),
      // While VS Code saves it ignores changes; what it has saved it may read again.
      vscode.workspace.onDidSaveTextDocument(({ uri }) => {
        if (uri.scheme === POLICY_SCHEME) this.#touch(uri);
      }),
      vscode.workspace.onDidCloseTextDocument(({ uri }) => {
        if (uri.scheme === POLICY_SCHEME) this.#files.delete(uri.toString());
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

  /** Throws, and with it leaves the document unsaved, unless the cluster has taken the policy. */
  async writeFile(uri: vscode.Uri, content: Uint8Array): Promise<void> {
    const ref = placeOf(uri);
    const text = Buffer.from(content).toString('utf8');
    const { parsePolicy, withVersion } = await import('./policy-yaml.ts');
    const parsed = parsePolicy(text, ref.namespace);
    this.showProblems(uri, text, parsed.ok ? parsed.mistakes : parsed.problems);
    if (!parsed.ok) throw notSaved(parsed.problems[0]?.message ?? 'it is no policy');
    const named = parsed.policy.metadata.resourceVersion;
    const applied = await this.#apply(ref, this.#caughtUp(uri, parsed.policy), text);
    switch (applied.outcome) {
      case 'refused':
        this.showProblems(uri, text, applied.problems);
        throw notSaved(applied.message);
      case 'conflict':
        delete this.#files.get(uri.toString())?.savedFrom;
        this.#deps.notify.background('a conflict', this.#settle(uri, ref, applied.current));
        throw notSaved('the policy was changed in the cluster since it was opened here');
      case 'applied': {
        const version = applied.policy.metadata.resourceVersion;
        const kept = withVersion(text.replace(PROPOSAL, ''), version);
        this.#files.set(uri.toString(), {
          text: kept,
          version,
          savedFrom: { version: named },
          mtime: Date.now(),
        });
        this.#deps.policies.forget(ref.cluster, ref.namespace);
        this.#deps.notify.log(`applied the policy of ${ref.namespace}`);
      }
    }
  }

  readDirectory(): never {
    throw vscode.FileSystemError.NoPermissions('Policies have no folders.');
  }

  createDirectory(): never {
    throw vscode.FileSystemError.NoPermissions('Policies have no folders.');
  }

  delete(): never {
    throw vscode.FileSystemError.NoPermissions('A policy is not deleted here.');
  }

  rename(): never {
    throw vscode.FileSystemError.NoPermissions('A policy has one name.');
  }

  showProblems(uri: vscode.Uri, text: string, problems: readonly PolicyProblem[]): void {
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

  #caughtUp(uri: vscode.Uri, policy: NamespacePolicy): NamespacePolicy {
    const { savedFrom, version } = this.#files.get(uri.toString()) ?? {};
    const isBehind = savedFrom !== undefined && savedFrom.version === policy.metadata.resourceVersion;
    if (!isBehind || version === undefined) return policy;
    return { ...policy, metadata: { ...policy.metadata, resourceVersion: version } };
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
    const ref = placeOf(uri);
    const known = this.#files.get(uri.toString());
    const [found, { policyText, newPolicyText }] = await Promise.all([
      this.#found(ref),
      import('./policy-yaml.ts'),
    ]);
    const version = found?.metadata.resourceVersion;
    if (known !== undefined && known.version === version) return known;
    const text = found === undefined ? newPolicyText(ref.namespace) : policyText(found);
    const file: File = { text, version, mtime: Date.now() };
    this.#files.set(uri.toString(), file);
    return file;
  }

  async #found({ cluster, namespace }: PolicyRef): Promise<NamespacePolicy | undefined> {
    this.#deps.policies.forget(cluster, namespace);
    const knowledge = await this.#deps.policies.of(cluster, namespace);
    if (knowledge.known === 'unknown')
      throw vscode.FileSystemError.NoPermissions(`You may not see the policy of ${namespace}.`);
    return knowledge.known === 'policy' ? knowledge.policy : undefined;
  }

  async #apply({ cluster, namespace }: PolicyRef, policy: NamespacePolicy, text: string) {
    const [client, { applyPolicy }] = await Promise.all([
      this.#deps.clusters.client(cluster),
      import('./apply-policy.ts'),
    ]);
    try {
      return await applyPolicy(client, policy, text, AbortSignal.timeout(APPLY_MS));
    } catch (error) {
      this.#deps.rights.forget(cluster, namespace);
      this.#deps.notify.failed('apply the policy', error, cluster);
      throw notSaved(error instanceof Error ? error.message : String(error));
    }
  }

  /** The person's text stays; they look at what the cluster has, or put theirs above it. */
  async #settle(uri: vscode.Uri, ref: PolicyRef, current: NamespacePolicy | undefined): Promise<void> {
    const { policyText, withVersion } = await import('./policy-yaml.ts');
    const what = current === undefined ? 'deleted' : 'changed';
    const answer = await vscode.window.showWarningMessage(
      `The policy of ${ref.namespace} was ${what} in the cluster since you opened it. Your text is not applied and stays here.`,
      ...(current === undefined ? [OVERWRITE] : [COMPARE, OVERWRITE]),
    );
    const document = vscode.workspace.textDocuments.find((each) => each.uri.toString() === uri.toString());
    if (answer === COMPARE && current !== undefined) {
      const theirs = await this.#deps.previews.show(
        `policy of ${ref.namespace} in the cluster`,
        policyText(current),
      );
      await vscode.commands.executeCommand(
        'vscode.diff',
        theirs,
        uri,
        `Policy of ${ref.namespace}: cluster ↔ yours`,
      );
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

/** What was deleted is made anew. */
const withoutVersion = (text: string): string => text.replace(/^ {2}resourceVersion:.*\n/m, '');

function placeOf(uri: vscode.Uri): PolicyRef {
  const ref = policyPlace(uri);
  if (ref === undefined || uri.toString() !== policyUri(ref).toString())
    throw vscode.FileSystemError.FileNotFound(uri);
  return ref;
}

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
