/** ambient.sendTestEvent: a sample event, as its source would send it; first of all to see what it would start. */
import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import { messageOf } from '../../common/errors.ts';
import { plain } from '../ide/plain-text.ts';
import { isPrivate } from './address.ts';
import { askBase, askSource } from './ask.ts';
import { readPolicy } from './change-policy.ts';
import type { WebhookCommand } from './index.ts';
import { rowText, usableKeys } from './policy-keys.ts';
import { SAMPLE_EVENTS } from './sample-events.ts';
import { answerText, send, testRequest } from './test-event.ts';
import type { TestEvent } from './test-event.ts';

const TITLE = 'Send Test Event';
const ASK_MS = 15_000;
const SEND_MS = 30_000;
const SEND_ANYWAY = 'Send Unencrypted';

export const sendTestEvent: WebhookCommand = async (deps, { cluster, namespace }) => {
  const { clusters, rights, notify, previews } = deps;
  const refusal = await rights.refusal(cluster, namespace, 'viewPolicy');
  if (refusal !== undefined) return notify.warn(refusal);
  const source = await askSource(TITLE);
  if (source === undefined) return;
  const client = await clusters.client(cluster);
  const keys = usableKeys(
    await readPolicy(client, namespace, AbortSignal.timeout(ASK_MS)),
    source,
    Date.now(),
  );
  if (keys.length === 0)
    return notify.warn(`No key of ${source} lets events into ${namespace}.`, [
      {
        title: 'Create Webhook Key',
        command: 'ambient.createWebhookKey',
        arguments: [{ cluster, namespace }],
      },
    ]);
  const ask = <T extends vscode.QuickPickItem>(items: readonly T[], placeHolder: string) =>
    vscode.window.showQuickPick(items, { title: TITLE, placeHolder });
  const sample = await ask(
    SAMPLE_EVENTS[source].map((each) => ({ label: each.title, sample: each })),
    'Which event?',
  );
  if (sample === undefined) return;
  const mode = await ask(
    [
      { label: 'Dry run', description: 'tells what it would start', isDryRun: true },
      { label: 'For real', description: 'starts the sessions of the triggers that match', isDryRun: false },
    ],
    'Shall it start anything?',
  );
  if (mode === undefined) return;
  const key = await ask(
    keys.map((row) => ({ label: plain(row.label, 63), description: rowText(row), row })),
    'With which key?',
  );
  if (key === undefined) return;
  const base = await askBase(TITLE, cluster);
  if (base === undefined || !(await isAcceptable(base))) return;
  const { isSigning, label: keyId } = key.row;
  const given = await vscode.window.showInputBox({
    title: TITLE,
    prompt: `${isSigning ? 'The secret' : 'The key'} ${plain(keyId, 63)}. It is sent, and kept nowhere.`,
    password: true,
    ignoreFocusOut: true,
    validateInput: (text) => (text.trim() === '' ? 'It was shown when it was made.' : undefined),
  });
  if (given === undefined) return;
  const credential: TestEvent['credential'] = isSigning
    ? { kind: 'secret', secret: given.trim(), keyId }
    : { kind: 'key', key: given.trim() };
  const { isDryRun } = mode;
  const event: TestEvent = {
    base,
    source,
    sample: sample.sample,
    credential,
    isDryRun,
    deliveryId: randomUUID(),
    now: Date.now(),
  };
  let answer;
  try {
    answer = await send(testRequest(event), AbortSignal.timeout(SEND_MS));
  } catch (error) {
    // fetch says why in its cause.
    const { cause } = error as { cause?: unknown };
    return notify.warn(`No answer from ${base}: ${messageOf(cause ?? error)}`);
  }
  const text = JSON.stringify(answer.body, undefined, 2);
  await previews.show(`answer to ${source} test event`, `# HTTP ${answer.status}\n${text}\n`);
  const said = `The test event was ${answerText(answer, isDryRun)}.`;
  if (answer.status >= 400) notify.warn(said);
  else notify.info(said, sessionAction(answer.body, cluster));
};

function sessionAction(body: unknown, cluster: string) {
  const [name, namespace] = ['sessionId', 'namespace'].map((field): unknown =>
    Reflect.get(Object(body) as object, field),
  );
  if (typeof name !== 'string' || typeof namespace !== 'string') return [];
  return [
    { title: 'Open Session', command: 'ambient.openSession', arguments: [{ cluster, namespace, name }] },
  ];
}

async function isAcceptable(base: string): Promise<boolean> {
  if (isPrivate(base)) return true;
  const answer = await vscode.window.showWarningMessage(
    'The address begins with http://.',
    { modal: true, detail: 'Whoever is between here and there can read what is sent, the key among it.' },
    SEND_ANYWAY,
  );
  return answer === SEND_ANYWAY;
}
