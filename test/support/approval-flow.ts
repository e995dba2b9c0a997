/** Two people and one session, as they do it in a real VS Code: one launches what needs approval, the other approves it. */
import type { VscodeWindow } from '../vscode/launch.ts';

export interface ApprovalFlowOptions {
  /** A namespace whose policy requires approval. */
  namespace: string;
  /** Contexts of who launches and who approves; both must be shown. */
  launcher: string;
  approver: string;
  /** Name of the object of the session in `namespace` that people see under this title. */
  nameOf(title: string): Promise<string>;
  log?: (line: string) => void;
  /** Begins the names of the screenshots; absent takes none. */
  screenshots?: string;
}

export interface ApprovalFlowResult {
  session: string;
  phase: string;
  approvedBy: string;
  seconds: number;
}

const TITLE = 'Work that needs approval';
const RUN_MS = 120_000;

/** Throws with what was not as it should be. */
export async function performApproval(
  window: VscodeWindow,
  options: ApprovalFlowOptions,
): Promise<ApprovalFlowResult> {
  const { namespace, launcher, approver, log = () => undefined, screenshots } = options;
  const begun = performance.now();
  const shot = async (name: string): Promise<void> => {
    if (screenshots === undefined) return;
    await window.waitIdle();
    await window.screenshot(`${screenshots}${name}`);
  };
  const rowIs = (state: RegExp): Promise<boolean> =>
    window.tree
      .labels()
      .then((labels) =>
        labels.some((label) => label.trim().startsWith(`session ${TITLE},`) && state.test(label)),
      );

  log(`${launcher} launches what needs approval`);
  await window.command('Ambient: Launch Session');
  await window.quickPick(launcher);
  await window.quickPick(namespace);
  await window.quickPick('Command');
  await window.quickInput('echo approved work is done');
  await window.quickPick('Use defaults');
  await window.quickPick('Nothing');
  await window.quickPick('Use defaults');
  await window.quickInput(TITLE);
  await window.page
    .getByText('Create this session in')
    .or(window.page.locator('.quick-input-widget:visible input[placeholder^="Create this session"]'))
    .first()
    .waitFor({ timeout: 60_000 });
  await shot('approval-review');
  await window.quickPick('Create');
  await window.until('the session to need approval', () => rowIs(/needs approval/), RUN_MS);
  await shot('approval-tree');

  log(`${approver} approves it`);
  await window.inHost(
    async (vscode, ref) => void (await vscode.commands.executeCommand('ambient.openSession', ref)),
    { cluster: approver, namespace, name: await options.nameOf(TITLE) },
  );
  const page = await window.webview(new RegExp(TITLE));
  await page.getByRole('button', { name: 'Approve…' }).click();
  await shot('approval-page');
  await window.quickInput('Looks right');
  await window.until('the session to complete', () => rowIs(/completed/), RUN_MS);
  await page.getByText('Looks right').first().waitFor();
  await shot('approval-done');
  return {
    session: TITLE,
    phase: 'Completed',
    approvedBy: approver,
    seconds: Math.round((performance.now() - begun) / 100) / 10,
  };
}
