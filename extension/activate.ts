/** Entry point of the extension: makes its parts and connects them, nothing else. Kubernetes code loads on first use. */
import { homedir } from 'node:os';
import * as vscode from 'vscode';
import { registerArtifacts } from './artifacts/index.ts';
import { registerAudit } from './audit/index.ts';
import { Clusters } from './clusters/clusters.ts';
import { KubeconfigWatch } from './clusters/kubeconfig-watch.ts';
import { registerCommands } from './commands/index.ts';
import { Rights } from './clusters/rights.ts';
import { pickNamespace } from './commands/pick-namespace.ts';
import { setContextKey } from './ide/context-keys.ts';
import type { ViewState } from './ide/context-keys.ts';
import { expandPath } from './ide/expand-path.ts';
import { Notify } from './ide/notify.ts';
import { followSessionYaml } from './ide/session-yaml-key.ts';
import { affects, settings, TREE_SETTINGS } from './ide/settings.ts';
import { registerLogs } from './logs/index.ts';
import { registerPanels } from './panels/index.ts';
import { registerPolicies } from './policies/index.ts';
import { Policies } from './policies/policies.ts';
import { tellAwaiting } from './sessions/approval-messages.ts';
import { Approvals } from './sessions/approvals.ts';
import { tellAsking } from './sessions/asking-messages.ts';
import { tellFinished } from './sessions/finished-messages.ts';
import { LaunchedSessions } from './sessions/launched.ts';
import { PackedSources } from './sessions/packed-sources.ts';
import { PreviewDocuments } from './sessions/preview-documents.ts';
import { SessionWatches } from './sessions/session-watch.ts';
import { YamlDocuments } from './sessions/yaml-documents.ts';
import { registerTools } from './tools/index.ts';
import { SessionsTree } from './tree/sessions-tree.ts';
import { registerTriggers } from './triggers/index.ts';
import { registerWebhooks } from './webhooks/index.ts';

/** For tests, and for other extensions that want to know what is shown. */
export interface AmbientApi {
  /** The tree's rows, open ones with what is below them. */
  tree: Pick<SessionsTree, 'snapshot'>;
}

let closing: (() => Promise<void>) | undefined;

export function activate(context: vscode.ExtensionContext): AmbientApi {
  const started = performance.now();
  const output = vscode.window.createOutputChannel('Ambient Sessions', { log: true });
  const notify = new Notify(output);
  const clusters = new Clusters({
    kubeconfigPath: () => expandPath(settings.kubeconfig(), process.env, homedir()),
    execTimeoutMs: settings.credentialTimeoutMs,
    env: process.env,
    homeDir: homedir(),
    userAgent: `ambient-vscode/${(context.extension.packageJSON as { version: string }).version}`,
  });
  const rights = new Rights({
    clusters,
    now: Date.now,
    onError: (error) => notify.log('asking what one may do', error),
  });
  const policies = new Policies({ clusters, now: Date.now });
  const watches: SessionWatches = new SessionWatches({
    clusters,
    onSeen: (cluster, session) => approvals.seen(cluster, session),
    onError: (error) => notify.log('watching sessions', error),
  });
  const approvals = new Approvals({
    watches,
    rights,
    policies,
    onError: (error) => notify.log('looking for sessions to approve', error),
  });
  const kubeconfigWatch = new KubeconfigWatch(() =>
    notify.background('reading the kubeconfig again', clusters.reload()),
  );
  const launched = new LaunchedSessions(watches);
  const packed = new PackedSources();
  const previews = new PreviewDocuments();
  const yaml = new YamlDocuments({ clusters, watches });
  const diagnostics = vscode.languages.createDiagnosticCollection('ambient');
  // Told once even if nothing is wrong: the buttons of the view wait for it.
  let viewState: ViewState | undefined;
  const tree = new SessionsTree({
    clusters,
    watches,
    settings: settings.tree,
    now: Date.now,
    listArtifacts: async (ref, signal) => {
      const { listArtifacts } = await import('./sessions/live.ts');
      return await listArtifacts(await clusters.connection(ref.cluster), ref, signal);
    },
    setViewState: (state) => {
      if (state === viewState) return;
      viewState = state;
      notify.background('setting a context key', setContextKey('ambient.view', state));
    },
    onKubeconfig: (files) => kubeconfigWatch.follow(files),
    launched,
    approvals,
    rights,
    log: (message, error) => notify.log(message, error),
  });

  const commands = registerCommands({
    clusters,
    tree,
    notify,
    rights,
    policies,
    output,
    workspaceState: context.workspaceState,
    previews,
    packed,
    editing: new Map(),
    launched,
    diagnostics,
  });

  const artifacts = registerArtifacts(context, { clusters, watches, notify });
  const logs = registerLogs({ clusters, notify });
  const audit = registerAudit({ clusters, rights, notify });
  const namespacePolicies = registerPolicies(context, {
    clusters,
    policies,
    rights,
    previews,
    notify,
    pickNamespace: () => pickNamespace({ clusters }, 'Policy'),
  });
  const triggers = registerTriggers({
    clusters,
    rights,
    previews,
    notify,
    pickNamespace: () => pickNamespace({ clusters }, 'Triggers'),
    now: Date.now,
  });
  const webhooks = registerWebhooks({
    clusters,
    policies,
    rights,
    previews,
    notify,
    pickNamespace: () => pickNamespace({ clusters }, 'Webhooks'),
  });
  const panels = registerPanels(context, {
    clusters,
    watches,
    rights,
    policies,
    notify,
    followLog: (ref, options) => logs.follow(ref, options),
  });

  const tools = registerTools(context, { clusters, notify });

  clusters.onDidChange(() => {
    // Connections may be others now.
    watches.restart();
    tree.reload();
  });
  rights.onDidChange(() => tree.refresh());
  approvals.onDidBegin((awaiting) => tellAwaiting(notify, awaiting));
  launched.onDidAsk((asking) => tellAsking(notify, asking));
  launched.onDidFinish((finished) => tellFinished(notify, finished));

  context.subscriptions.push(
    output,
    previews,
    yaml,
    diagnostics,
    tree,
    commands,
    artifacts,
    logs,
    audit,
    namespacePolicies,
    triggers,
    webhooks,
    panels,
    tools,
    kubeconfigWatch,
    launched,
    approvals,
    followSessionYaml(notify),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (affects(event, 'kubeconfig', 'credentialTimeoutSeconds'))
        notify.background('reading the kubeconfig again', clusters.reload());
      else if (affects(event, ...TREE_SETTINGS)) tree.reload();
    }),
  );
  closing = async () => {
    await watches.close();
    await clusters.close();
    await packed[Symbol.asyncDispose]();
  };
  // Only use of this extension activates it, and next to nothing can be done without a kubeconfig and what reads it.
  setImmediate(() =>
    notify.background(
      'reading the kubeconfig',
      clusters.kubeconfig().then(({ files }) => kubeconfigWatch.follow(files)),
    ),
  );
  output.info(`activated in ${(performance.now() - started).toFixed(1)} ms`);
  return { tree };
}

export async function deactivate(): Promise<void> {
  await closing?.();
}
