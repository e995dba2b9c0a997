/** ambient.sendTestEvent: a sample event, as its source would send it; first of all to see what it would start. */
import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import type { WebhookSource } from '../../common/api/session.ts';
import type { ProblemAction } from '../clusters/problem.ts';
import { Cancelled, withProgress } from '../commands/progress.ts';
import { plain } from '../ide/plain-text.ts';
import { usableKeys } from '../policies/webhook-keys.ts';
import type { KeyRow } from '../policies/webhook-keys.ts';
import { isPrivate } from './address.ts';
import { askBase, askKey, askSource, createKeyAction } from './ask.ts';
import { noAnswerText } from './no-answer.ts';
import { policyOf } from './policy-in-cluster.ts';
import { SAMPLE_EVENTS } from './sample-events.ts';
import { answerText } from './test-answer.ts';
import { send, testRequest } from './test-event.ts';
import type { TestEvent } from './test-event.ts';
import type { WebhookCommand } from './webhook-command.ts';

const TITLE = 'Send Test Event';
const SEND_MS = 30_000;
const SEND_ANYWAY = 'Send Unencrypted';
const MODES = [
  { label: 'Dry run', description: 'tells what it would start', isDryRun: true },
  { label: 'For real', description: 'starts the sessions of the triggers that match', isDryRun: false },
];
const CHANGE_ADDRESS: ProblemAction = {
  title: 'Change Address',
  command: 'workbench.action.openSettings',
  arguments: ['ambient.restUrl'],
};

export const sendTestEvent: WebhookCommand = async (deps, ref) => {
  const { rights, notify, previews } = deps;
  const { cluster, namespace } = ref;
  const refusal = await rights.refusal(cluster, namespace, 'viewPolicy');
  if (refusal !== undefined) return notify.warn(refusal);
  const source = await askSource(TITLE);
  if (source === undefined) return;
  const keys = usableKeys(await policyOf(deps, ref), source, Date.now());
  if (keys.length === 0)
    return notify.warn(`No key of ${source} lets events into ${namespace}.`, [createKeyAction(ref)]);
  const event = await askEvent(source, keys, cluster);
  if (event === undefined) return;
  let answer;
  try {
    const waited = AbortSignal.timeout(SEND_MS);
    answer = await withProgress(
      `Sending the test event to ${plain(new URL(event.base).host, 80)}`,
      (_, signal) => send(testRequest(event), AbortSignal.any([signal, waited])),
    );
  } catch (error) {
    if (error instanceof Cancelled) throw error;
    notify.log('sending a test event', error);
    return notify.warn(noAnswerText(event.base, error, SEND_MS), [CHANGE_ADDRESS]);
  }
  const text = JSON.stringify(answer.body, undefined, 2);
  await previews.show(`answer to ${source} test event`, `# HTTP ${answer.status}\n${text}\n`);
  const said = answerText(answer, event.isDryRun);
  if (answer.status >= 400) notify.warn(said);
  else notify.info(said, sessionAction(answer.body, cluster));
};

/** Undefined: the person went away. */
async function askEvent(
  source: WebhookSource,
  keys: readonly KeyRow[],
  cluster: string,
): Promise<TestEvent | undefined> {
  const ask = <T extends vscode.QuickPickItem>(items: readonly T[], placeHolder: string) =>
    vscode.window.showQuickPick(items, { title: TITLE, placeHolder });
  const chosen = await ask(
    SAMPLE_EVENTS[source].map((sample) => ({ label: sample.title, sample })),
    'Which event?',
  );
  if (chosen === undefined) return undefined;
  const mode = await ask(MODES, 'Shall it start anything?');
  if (mode === undefined) return undefined;
  const key = await askKey(TITLE, keys);
  if (key === undefined) return undefined;
  const base = await askBase(TITLE, cluster);
  if (base === undefined || !(await isAcceptable(base))) return undefined;
  const { isSigning, label: keyId } = key;
  const given = await vscode.window.showInputBox({
    title: TITLE,
    prompt: `${isSigning ? 'The secret of' : 'The key'} ${plain(keyId, 63)}. It is ${isSigning ? 'what the event is signed with' : 'sent'}, and kept nowhere.`,
    password: true,
    ignoreFocusOut: true,
    validateInput: (text) => (text.trim() === '' ? 'It was shown when it was made.' : undefined),
  });
  if (given === undefined) return undefined;
  const secret = given.trim();
  return {
    base,
    source,
    sample: chosen.sample,
    credential: isSigning ? { kind: 'secret', secret, keyId } : { kind: 'key', key: secret },
    isDryRun: mode.isDryRun,
    deliveryId: randomUUID(),
    now: Date.now(),
  };
}

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
