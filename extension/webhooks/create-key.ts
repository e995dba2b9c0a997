/** ambient.createWebhookKey: makes a key, keeps its digest in the policy, and shows it once. */
import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import { stringify } from 'yaml';
import type { PolicyRef } from '../../common/api/panels.ts';
import type { WebhookSource } from '../../common/api/session.ts';
import { plain } from '../ide/plain-text.ts';
import { withKey } from '../policies/webhook-keys.ts';
import { webhookAddress } from './address.ts';
import { askBase, askSource } from './ask.ts';
import { keyText, newApiKey, newSigningKey, signingManifest } from './new-key.ts';
import type { KeyWish, NewKey } from './new-key.ts';
import { setPolicy } from './policy-in-cluster.ts';
import type { WebhookCommand } from './webhook-command.ts';

const TITLE = 'Create Webhook Key';

const WAYS = [
  { label: 'Sent as X-API-Key', description: 'for tools that can set a header', isSigning: false },
  {
    label: 'Signs the body',
    description: 'for webhooks of GitHub, Jira and Slack; needs a Secret in the namespace',
    isSigning: true,
  },
];

const LIFETIMES = [
  { label: 'Does not expire', days: undefined },
  { label: 'Expires in 90 days', days: 90 },
  { label: 'Expires in 365 days', days: 365 },
];

export const createKey: WebhookCommand = async (deps, ref) => {
  const { rights, policies, notify } = deps;
  const { cluster, namespace } = ref;
  const found = await policies.of(cluster, namespace);
  const right = found.known === 'none' ? 'createPolicy' : 'editPolicy';
  const refusal = await rights.refusal(cluster, namespace, right);
  if (refusal !== undefined) return notify.warn(refusal);
  const source = await askSource(TITLE);
  if (source === undefined) return;
  const made = await askNewKey(source);
  if (made === undefined) return;
  await setPolicy(deps, ref, (policy) => withKey(policy, namespace, made.entry));
  notify.log(`made the webhook key ${made.entry.id} in ${namespace}`);
  await show(ref, made);
};

async function askNewKey(source: WebhookSource): Promise<NewKey | undefined> {
  // What signs for anybody else is the tool's own affair.
  const ways = source === 'generic' ? WAYS : WAYS.toReversed();
  const way = await vscode.window.showQuickPick(ways, { title: TITLE, placeHolder: 'How is it used?' });
  if (way === undefined) return undefined;
  const lifetime = await vscode.window.showQuickPick(LIFETIMES, {
    title: TITLE,
    placeHolder: 'For how long?',
  });
  if (lifetime === undefined) return undefined;
  const wish: KeyWish = { source, days: lifetime.days, now: Date.now() };
  if (!way.isSigning) return newApiKey(wish, randomBytes);
  if (source !== 'slack') return newSigningKey(wish, randomBytes);
  const secret = await askSlackSecret();
  return secret === undefined ? undefined : newSigningKey(wish, randomBytes, secret);
}

/** Slack makes it, and takes no other. */
async function askSlackSecret(): Promise<string | undefined> {
  const given = await vscode.window.showInputBox({
    title: TITLE,
    prompt:
      "The Signing Secret of your Slack app: Basic Information → App Credentials. It goes into the manifest of the key's Secret, and is kept nowhere else.",
    password: true,
    ignoreFocusOut: true,
    validateInput: (text) => (text.trim() === '' ? 'Slack signs with it, and with nothing else.' : undefined),
  });
  return given?.trim();
}

const KEY = { title: 'Copy Key' };
const ADDRESS = { title: 'Copy Address' };
const MANIFEST = { title: 'Copy Manifest' };
/** Not called Cancel: the key stays. */
const CLOSE = { title: 'Close', isCloseAffordance: true };

/** Nobody can show it again, so it stays until it is closed. */
async function show({ cluster, namespace }: PolicyRef, made: NewKey): Promise<void> {
  const { id, source, signing } = made.entry;
  const buttons: vscode.MessageItem[] = [
    ...(made.isGiven ? [] : [KEY]),
    ...(signing === undefined ? [] : [MANIFEST]),
    ADDRESS,
    CLOSE,
  ];
  for (;;) {
    const answer = await vscode.window.showInformationMessage(
      `Key ${plain(id, 80)} of ${plain(namespace, 63)}`,
      { modal: true, detail: keyText(made) },
      ...buttons,
    );
    switch (answer) {
      case KEY:
        await copy(made.key);
        break;
      case MANIFEST:
        await copy(manifestText(namespace, made));
        break;
      case ADDRESS: {
        const base = await askBase(TITLE, cluster);
        if (base !== undefined)
          await copy(webhookAddress(base, source, signing === undefined ? undefined : id));
        break;
      }
      default:
        return;
    }
  }
}

async function copy(text: string): Promise<void> {
  await vscode.env.clipboard.writeText(text);
  vscode.window.setStatusBarMessage('$(check) Copied', 3000);
}

const manifestText = (namespace: string, made: NewKey): string =>
  signingManifest(namespace, made)
    .map((object) => stringify(object))
    .join('---\n');
