/** The launch as a person does it, in a real VS Code: questions, review, log, artifacts, patch. For the demo's check and the end-to-end tests. */
import assert from 'node:assert/strict';
import type { VscodeWindow } from '../vscode/launch.ts';

export interface LaunchFlowOptions {
  /** The context to launch in, where the window shows several. */
  cluster?: string;
  namespace: string;
  log?: (line: string) => void;
  /** Begins the names of the screenshots; absent takes none. */
  screenshots?: string;
}

export interface LaunchFlowResult {
  session: string;
  phase: string;
  artifacts: string[];
  logLines: number;
  launchSeconds: number;
  runSeconds: number;
}

const TITLE = 'Report on this repository';
export const COMMAND = 'node manifests/samples/repository-report.mjs';
const ARTIFACTS = ['changes.patch', 'chart.svg', 'report.md', 'summary.json'];
/** Packing, upload, pod and command together, on a machine that does other things too. */
const RUN_MS = 180_000;

/** The window must show the repository, its kubeconfig one cluster with the operator. Throws with what was not as it should be. */
export async function performLaunch(
  window: VscodeWindow,
  options: LaunchFlowOptions,
): Promise<LaunchFlowResult> {
  const { cluster, namespace, log = () => undefined, screenshots } = options;
  const begun = performance.now();
  const shot = async (name: string): Promise<void> => {
    if (screenshots === undefined) return;
    await window.waitIdle();
    await window.screenshot(`${screenshots}${name}`);
  };
  const row = (): Promise<string | undefined> =>
    window.tree
      .labels()
      .then((labels) =>
        labels.map((label) => label.trim()).find((label) => label.startsWith(`session ${TITLE},`)),
      );

  await window.openView('Ambient');
  await window.treeRow(namespace);
  // A view alone in its container has its buttons in the container's title.
  await window.page
    .locator('.part.sidebar .action-label[aria-label^="Launch Session"]:visible')
    .first()
    .waitFor();
  await shot('tree-empty');

  log('answering the questions');
  await window.command('Ambient: Launch Session');
  await window.quickTitle(/Launch Session/);
  if (cluster !== undefined) await window.quickPick(cluster);
  await shot('launch-namespace');
  await window.quickPick(namespace);
  await window.quickPick('Command');
  // validation: an empty command is refused in place
  await window.quickInput('');
  assert.match(await window.quickInputMessage(/required|empty|enter|give|needs/i), /\S/);
  await window.quickInput(COMMAND);
  await window.quickPick('Use defaults');
  // the question before has a way back, too
  await window.until('the question for the source', async () =>
    (await window.quickPickLabels()).includes('This folder as it is now'),
  );
  await shot('launch-source');
  // one step back and forth again, as people do
  await window.quickButton('Back');
  await window.quickPick('Use defaults');
  await window.quickPick('This folder as it is now');
  await window.quickPick('Use defaults');
  await window.quickInput(TITLE);
  // packing comes first
  await window.page
    .getByText('Create this session in')
    .or(window.page.locator('.quick-input-widget:visible input[placeholder^="Create this session"]'))
    .first()
    .waitFor({ timeout: 60_000 });
  const yaml = await window.editorText();
  assert.match(
    yaml ?? '',
    /kind: Session[\s\S]*command: node manifests\/samples\/repository-report\.mjs[\s\S]*digest: sha256:/,
  );
  await shot('launch-review');
  await window.quickPick('Create');
  await window.until('the session in the tree', async () => (await row()) !== undefined, RUN_MS);
  const launchSeconds = (performance.now() - begun) / 1000;

  log('following the log');
  await window.contextMenu(TITLE, 'Open Log');
  await window.until('the log to run', async () => /lines {2}/.test((await logText(window)) ?? ''), RUN_MS);
  await shot('log-running');
  await window.until(
    'the session to complete',
    async () => /completed|failed|stopped/.test((await row()) ?? ''),
    RUN_MS,
  );
  assert.match((await row()) ?? '', /, completed,/);
  await window.until('the end of the log', async () =>
    /uploaded 4 artifacts/.test((await logText(window)) ?? ''),
  );
  const text = (await logText(window)) ?? '';
  for (const line of [
    'Reading the history',
    'Drawing the chart',
    'Drafting the changelog',
    'Done',
    'exit code 0',
  ])
    assert.equal(text.split(line).length, 2, `the log has "${line}" once`);
  const runSeconds = (performance.now() - begun) / 1000 - launchSeconds;
  await shot('log');

  log('opening the artifacts');
  await window.expand(TITLE);
  for (const name of ARTIFACTS) await window.treeRow(name);
  await openArtifact(window, 'summary.json');
  await window.until('the JSON', async () => /"commits": \d+/.test((await window.editorText()) ?? ''));
  await openArtifact(window, 'report.md');
  await window.until('the rendered report', async () => {
    const tab = (await window.tabs()).find((label) => label.includes('report.md'));
    if (tab === undefined) return false;
    return (await (await window.webview(tab)).locator('h1', { hasText: 'Repository report' }).count()) > 0;
  });
  await shot('artifact-markdown');
  await openArtifact(window, 'chart.svg');
  await window.until('the picture', async () =>
    (await window.tabs()).some((label) => label.includes('chart.svg')),
  );
  await shot('artifact-picture');
  await openArtifact(window, 'changes.patch');
  await window.until('the changes', async () =>
    (await window.tabs()).some((label) => /CHANGELOG|changes/i.test(label)),
  );
  await shot('artifact-patch');

  log('opening the session page');
  await window.contextMenu(TITLE, 'Open Session');
  const page = await window.webview(new RegExp(TITLE));
  await page.locator('h1', { hasText: TITLE }).waitFor();
  await page.getByText('changes.patch').first().waitFor();
  await shot('session');

  return {
    session: TITLE,
    phase: 'Completed',
    artifacts: ARTIFACTS,
    logLines: text.trim().split('\n').length,
    launchSeconds: Math.round(launchSeconds * 10) / 10,
    runSeconds: Math.round(runSeconds * 10) / 10,
  };
}

async function openArtifact(window: VscodeWindow, name: string): Promise<void> {
  const row = await window.treeRow(name);
  await row.click();
}

/** The log document's text, wherever it is open. */
const logText = (window: VscodeWindow): Promise<string | undefined> =>
  window.inHost((vscode) =>
    vscode.workspace.textDocuments.find(({ uri }) => uri.scheme === 'ambient-log')?.getText(),
  );
