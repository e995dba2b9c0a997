/**
 * npm run demo: a real cluster with the operator and a real VS Code with the extension, on this machine, until stopped.
 *
 *   npm run demo              prints the address of the VS Code
 *   npm run demo -- --check   performs the launch in that VS Code, prints one line of JSON, and exits 0 or not
 *   npm run demo -- --check --picture docs/images/session.png   also takes the README's picture
 *   npm run demo -- --context NAME   uses a cluster of your kubeconfig instead of one of its own
 */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '../common/errors.ts';
import { clusterUp } from '../test/cluster/index.ts';
import { deployOperator } from '../test/support/deploy.ts';
import { performApproval } from '../test/support/approval-flow.ts';
import { performLaunch } from '../test/support/launch-flow.ts';
import { applyTenants, sessionTitled, tenantsKubeconfig } from '../test/support/tenants.ts';
import { openWindow, startVscode } from '../test/vscode/launch.ts';
import { packageExtension } from './package.ts';
import { buildTargets } from './build.ts';

const root = join(import.meta.dirname, '..');
/** Of manifests/samples/two-tenants.yaml. */
const NAMESPACE = 'demo';
const GUARDED = 'demo-guarded';

const { values: flags } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    picture: { type: 'string' },
    context: { type: 'string' },
  },
});

const begun = performance.now();
const seconds = (): number => Math.round((performance.now() - begun) / 100) / 10;
const log = (line: string): void =>
  void process.stderr.write(`[${seconds().toFixed(1).padStart(6)} s] ${line}\n`);

async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  log(`${what} ...`);
  return work();
}

/** Resolves at Ctrl+C or a request to end. */
const stopped = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
});

async function run(): Promise<void> {
  const vsix = await step('Packing the extension', () => packageExtension());
  await step('Building operator and runner', () => buildTargets(['operator', 'runner']));
  await using cluster = await step('Bringing up a cluster', () =>
    clusterUp({ node: true, log, ...(flags.context === undefined ? {} : { context: flags.context }) }),
  );
  await step('Deploying the operator', () => deployOperator(cluster, { log, runnableOnly: true }));
  await step('Setting up two tenants and two people', () => applyTenants(cluster));
  const [launcher, approver] = ['ann', 'ben'];
  const kubeconfig = await tenantsKubeconfig(cluster, [launcher, approver]);
  await using server = await step('Starting VS Code with the extension', () =>
    startVscode({
      vsix,
      folder: root,
      env: { KUBECONFIG: kubeconfig },
      settings: {
        'ambient.contexts': [launcher, approver],
        'ambient.namespaces': [
          `${launcher}/${NAMESPACE}`,
          `${launcher}/${GUARDED}`,
          `${approver}/${GUARDED}`,
        ],
        ...(flags.check ? { 'ambient.afterLaunch': 'nothing' } : {}),
      },
      instrumented: flags.check,
      log,
    }),
  );
  if (flags.check) {
    await using window = await step('Opening a window', () => openWindow(server));
    const result = await step('Launching a session in it', () =>
      performLaunch(window, { cluster: launcher, namespace: NAMESPACE, log, screenshots: 'demo-' }),
    );
    if (flags.picture !== undefined) {
      await window.clearNotifications();
      await copyFile(await window.screenshot('demo-picture'), flags.picture);
    }
    const approval = await step('Launching one that needs approval', () =>
      performApproval(window, {
        namespace: GUARDED,
        launcher,
        approver,
        nameOf: (title) => sessionTitled(cluster, GUARDED, title),
        log,
        screenshots: 'demo-',
      }),
    );
    console.log(JSON.stringify({ ok: true, seconds: seconds(), ...result, approval }));
    log('Tearing down ...');
    return;
  }
  console.log(`\nVS Code with Ambient Sessions: ${server.url()}\n`);
  console.log(
    `Open it, choose Ambient in the activity bar, and launch a session in namespace ${NAMESPACE} with the command`,
  );
  console.log('  node manifests/samples/repository-report.mjs');
  console.log(
    `You are ${launcher} there, and ${approver} below: what ${launcher} launches in ${GUARDED} waits until ${approver} approves it.`,
  );
  console.log(`The same cluster for kubectl: export KUBECONFIG=${cluster.kubeconfig}`);
  console.log('Ctrl+C stops everything and removes every trace.');
  await stopped;
  log('Tearing down ...');
}

try {
  await (flags.check
    ? Promise.race([run(), stopped.then(() => Promise.reject(new Error('stopped')))])
    : run());
  log('Nothing is left running.');
  process.exit(0);
} catch (error) {
  if (flags.check) console.log(JSON.stringify({ ok: false, seconds: seconds(), error: messageOf(error) }));
  log(`Failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  process.exit(1);
}
