/** ambient.launchFromYaml: creates the Session in the active YAML editor. */
import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import type { Session } from '../../common/api/session.ts';
import { plain } from '../ide/plain-text.ts';
import type { YamlProblem } from '../sessions/session-yaml.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { checkNamespace } from '../sessions/input-checks.ts';
import type { Command, CommandContext } from './context.ts';
import { textField } from './context.ts';
import { workspaceFolders } from './launch-offers.ts';
import { createSession, packFolder, showLaunched } from './launch-work.ts';
import { pickContext } from './pick-context.ts';
import { Cancelled } from './progress.ts';

const TITLE = 'Launch Session from YAML';

/** The optional argument `{ cluster, namespace }` says where, for what the YAML does not say. */
export const launchFromYaml: Command =
  (context) =>
  async (given): Promise<SessionRef | undefined> => {
    const editor = vscode.window.activeTextEditor;
    if (editor === undefined) {
      context.notify.warn('Open the YAML of a Session first.');
      return undefined;
    }
    const { document } = editor;
    const { parseSession } = await import('../sessions/session-yaml.ts');
    const parsed = parseSession(document.getText());
    showProblems(context, document, parsed.ok ? [] : parsed.problems);
    if (!parsed.ok) {
      const [first] = parsed.problems;
      context.notify.warn(`This is not a Session that can be launched: ${first?.message ?? ''}`, [
        { title: 'Show Problems', command: 'workbench.actions.view.problems' },
      ]);
      return undefined;
    }
    try {
      return await launchParsed(context, document, parsed.session, {
        cluster: textField(given, 'cluster'),
        namespace: textField(given, 'namespace'),
      });
    } catch (error) {
      if (error instanceof Cancelled) return undefined;
      const { showRefusal } = await import('./refused-launch.ts');
      showRefusal(context, document, error);
      context.notify.failed('launch the session', error);
      return undefined;
    }
  };

async function launchParsed(
  context: CommandContext,
  document: vscode.TextDocument,
  written: Session,
  where: { cluster: string | undefined; namespace: string | undefined },
): Promise<SessionRef | undefined> {
  const cluster =
    where.cluster ?? context.editing.get(document.uri.toString()) ?? (await pickContext(context, TITLE));
  const namespace = written.metadata?.namespace ?? where.namespace ?? (await askNamespace(context, cluster));
  if (namespace === undefined) return undefined;
  const session = await withSource(context, named(written, namespace));
  if (session === undefined) return undefined;
  const ref = await createSession(context, cluster, session);
  showLaunched(context, ref);
  return ref;
}

/** The name is chosen here and not by the server, so that a launch that is cancelled half-way can be taken back. */
function named(written: Session, namespace: string): Session {
  const { name, generateName, ...metadata } = written.metadata ?? {};
  const chosen =
    name ?? (generateName === undefined ? randomUUID() : `${generateName}${randomUUID().slice(0, 8)}`);
  return {
    apiVersion: written.apiVersion,
    kind: written.kind,
    metadata: { ...metadata, name: chosen, namespace },
    spec: written.spec,
  };
}

/** An upload needs its archive: packed in this window before, or now from the open folder. */
async function withSource(context: CommandContext, session: Session): Promise<Session | undefined> {
  const { source } = session.spec;
  if (source?.type !== 'upload' || source.upload === undefined) return session;
  if (context.packed.get(source.upload.digest) !== undefined) return session;
  const folders = workspaceFolders();
  const picked = await vscode.window.showQuickPick(
    folders.map(({ name, path }) => ({
      label: `$(folder) ${plain(name)}`,
      description: 'as it is now',
      path,
    })),
    {
      title: TITLE,
      placeHolder:
        folders.length === 0
          ? 'The source of this session was packed elsewhere, and no trusted folder is open to take instead'
          : 'The source of this session was packed elsewhere. Which folder to take instead?',
    },
  );
  if (picked === undefined) return undefined;
  const { sizeBytes, digest, name } = await packFolder(context, picked.path);
  return {
    ...session,
    spec: { ...session.spec, source: { type: 'upload', upload: { sizeBytes, digest, name } } },
  };
}

async function askNamespace({ clusters }: CommandContext, cluster: string): Promise<string | undefined> {
  const own = (await clusters.contexts()).find(({ name }) => name === cluster)?.namespace;
  return await vscode.window.showInputBox({
    title: TITLE,
    prompt: `In which namespace of ${plain(cluster)}?`,
    value: own ?? 'default',
    ignoreFocusOut: true,
    validateInput: checkNamespace,
  });
}

function showProblems(
  { diagnostics }: CommandContext,
  document: vscode.TextDocument,
  problems: readonly YamlProblem[],
): void {
  diagnostics.set(
    document.uri,
    problems.map(({ message, line }) => {
      const { range } = document.lineAt(Math.min(line, document.lineCount - 1));
      const diagnostic = new vscode.Diagnostic(range, message, vscode.DiagnosticSeverity.Error);
      diagnostic.source = 'Ambient';
      return diagnostic;
    }),
  );
}
