/** The policies of namespaces: a page for each, and its YAML to edit. Pages and YAML load on first use. */
import * as vscode from 'vscode';
import type { PolicyRef } from '../../common/api/panels.ts';
import type { Clusters } from '../clusters/clusters.ts';
import type { Rights } from '../clusters/rights.ts';
import { inNamespace } from '../commands/in-namespace.ts';
import type { InNamespaceDeps } from '../commands/in-namespace.ts';
import type { Notify } from '../ide/notify.ts';
import { plain } from '../ide/plain-text.ts';
import { OpenPages } from '../panels/open-pages.ts';
import type { PreviewDocuments } from '../sessions/preview-documents.ts';
import type { Policies } from './policies.ts';
import { ObjectFiles } from '../objects/object-files.ts';
import { registerObjectLanguage } from '../objects/object-language.ts';
import { policyKind, PROPOSAL } from './policy-kind.ts';
import type { PolicyPanel, PolicyPanelDeps } from './policy-panel.ts';
import { policyPlace, policyRefOf, policyUri } from './policy-ref.ts';

export const POLICY_PANEL = 'ambient.policy';

export interface PoliciesDeps extends InNamespaceDeps, PolicyPanelDeps {
  clusters: Pick<Clusters, 'client' | 'onDidChange'>;
  policies: Policies;
  rights: Rights;
  previews: PreviewDocuments;
  notify: Notify;
}

export function registerPolicies(
  context: Pick<vscode.ExtensionContext, 'extensionUri'>,
  deps: PoliciesDeps,
): vscode.Disposable {
  const { notify, rights } = deps;
  const pages = new OpenPages<PolicyPanel>();
  const kind = policyKind(deps.policies);
  const files = new ObjectFiles(kind, deps);

  const adopt = (panel: vscode.WebviewPanel, ref: PolicyRef): Promise<void> =>
    pages.adopt(keyOf(ref), panel, async () => {
      const { PolicyPanel } = await import('./policy-panel.ts');
      const { extensionUri } = context;
      return () => new PolicyPanel({ panel, ref, extensionUri, deps });
    });

  const show = async (ref: PolicyRef): Promise<void> => {
    const known = pages.get(keyOf(ref));
    if (known !== undefined) return (await known)?.show();
    const panel = vscode.window.createWebviewPanel(
      POLICY_PANEL,
      `Policy of ${plain(ref.namespace, 60)}`,
      vscode.ViewColumn.Active,
      { enableFindWidget: true },
    );
    await adopt(panel, ref);
  };

  const edit = async (ref: PolicyRef): Promise<void> => {
    const { cluster, namespace } = ref;
    const found = await deps.policies.of(cluster, namespace);
    const right = found.known === 'none' ? 'createPolicy' : 'editPolicy';
    const refusal = await rights.refusal(cluster, namespace, right);
    if (refusal !== undefined) return notify.warn(refusal);
    const document = await vscode.workspace.openTextDocument(policyUri(ref));
    const editor = await vscode.window.showTextDocument(document, { preview: false });
    // What is not there yet is only a proposal: it can be saved as it is.
    if (found.known === 'none')
      await editor.edit((change) => change.insert(new vscode.Position(0, 0), PROPOSAL));
  };

  const onPolicy =
    (doing: string, run: (ref: PolicyRef) => Promise<void>) =>
    (given: unknown): Promise<void> =>
      inNamespace(deps, doing, policyRefOf(given), run);

  return vscode.Disposable.from(
    files,
    registerObjectLanguage(kind, files, deps),
    vscode.commands.registerCommand('ambient.openPolicy', onPolicy('open the policy', show)),
    vscode.commands.registerCommand('ambient.editPolicy', onPolicy('edit the policy', edit)),
    vscode.commands.registerCommand('ambient.applyPolicy', async (given: unknown) => {
      const uri = given instanceof vscode.Uri ? given : vscode.window.activeTextEditor?.document.uri;
      const document = vscode.workspace.textDocuments.find(
        (each) => each.uri.toString() === uri?.toString() && policyPlace(each.uri) !== undefined,
      );
      if (document === undefined) notify.info('Open the YAML of a policy first.');
      else if (!document.isDirty) notify.info('Nothing was changed since it was read from the cluster.');
      else await document.save();
    }),
    deps.clusters.onDidChange(() => {
      for (const page of pages)
        notify.background(
          'watching again',
          page.then((each) => each?.watchAgain()),
        );
    }),
    vscode.window.registerWebviewPanelSerializer(POLICY_PANEL, {
      deserializeWebviewPanel: async (panel, state: unknown) => {
        const ref = policyRefOf(Reflect.get(Object(state) as object, 'ref'));
        if (ref === undefined || pages.get(keyOf(ref)) !== undefined) panel.dispose();
        else await adopt(panel, ref);
      },
    }),
    {
      dispose: () => {
        // The panels stay: VS Code is shutting down and restores them.
        for (const page of pages)
          notify.background(
            'closing a page',
            page.then((each) => each?.rest()),
          );
      },
    },
  );
}

/** Neither holds a slash at the place that matters: namespaces hold none. */
const keyOf = ({ cluster, namespace }: PolicyRef): string => `${namespace}/${cluster}`;
