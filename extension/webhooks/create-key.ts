/** ambient.createWebhookKey: makes a key, keeps its digest in the policy, and shows it once. */
import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import { plain } from '../ide/plain-text.ts';
import { settings } from '../ide/settings.ts';
import { baseProblem, webhookAddress } from './address.ts';
import { askSource } from './ask.ts';
import { changePolicy } from './change-policy.ts';
import type { WebhookCommand } from './index.ts';
import { newApiKey, newSigningKey, signingManifest } from './new-key.ts';
import type { NewKey } from './new-key.ts';
import { withKey } from './policy-keys.ts';

const TITLE = 'Create Webhook Key';
const CHANGE_MS = 30_000;

const WAYS = [
  {
    label: 'Sent as X-API-Key',
    description: 'for tools that can set a header',
    make: newApiKey,
  },
  {
    label: 'Signs the body',
    description: 'for webhooks of GitHub, Jira and Slack; needs a Secret in the namespace',
    make: newSigningKey,
  },
];

const LIFETIMES = [
  { label: 'Does not expire', days: undefined },
  { label: 'Expires in 90 days', days: 90 },
  { label: 'Expires in 365 days', days: 365 },
];

export const createKey: WebhookCommand = async (
  { clusters, rights, policies, notify },
  { cluster, namespace },
) => {
  const found = await policies.of(cluster, namespace);
  const right = found.known === 'none' ? 'createPolicy' : 'editPolicy';
  const refusal = await rights.refusal(cluster, namespace, right);
  if (refusal !== undefined) return notify.warn(refusal);
  const source = await askSource(TITLE);
  if (source === undefined) return;
  // What signs for anybody else is the tool's own affair.
  const ways = source === 'generic' ? WAYS : WAYS.toReversed();
  const way = await vscode.window.showQuickPick(ways, { title: TITLE, placeHolder: 'How is it used?' });
  if (way === undefined) return;
  const lifetime = await vscode.window.showQuickPick(LIFETIMES, {
    title: TITLE,
    placeHolder: 'For how long?',
  });
  if (lifetime === undefined) return;
  const made = way.make({ source, days: lifetime.days, now: Date.now() }, randomBytes);
  const client = await clusters.client(cluster);
  await changePolicy(
    client,
    namespace,
    (policy) => withKey(policy, namespace, made.entry),
    AbortSignal.timeout(CHANGE_MS),
  );
  policies.forget(cluster, namespace);
  notify.log(`made the webhook key ${made.entry.id} in ${namespace}`);
  await show(cluster, namespace, made);
};

const KEY = 'Copy Key';
const ADDRESS = 'Copy Address';
const MANIFEST = 'Copy Manifest';

/** Nobody can show it again, so it stays until it is closed. */
async function show(cluster: string, namespace: string, made: NewKey): Promise<void> {
  const { id, source, signing } = made.entry;
  const base = settings.restUrl(cluster);
  const address =
    base === undefined || baseProblem(base) !== undefined
      ? undefined
      : webhookAddress(base, source, signing === undefined ? undefined : id);
  const use =
    signing === undefined
      ? 'The sender sends it in the header X-API-Key.'
      : `Give it to ${source} as the secret of the webhook. Until the manifest is applied, which puts it into Secret ${signing.secretName} and lets the operator read that, events are refused.`;
  const detail = `${made.key}\n\n${use}\n\nIt is shown this once: only ${signing === undefined ? 'its digest' : 'the name of its Secret'} is kept in the policy.`;
  const buttons = [
    KEY,
    ...(signing === undefined ? [] : [MANIFEST]),
    ...(address === undefined ? [] : [ADDRESS]),
  ];
  for (;;) {
    const answer = await vscode.window.showInformationMessage(
      `Key ${plain(id, 80)} of ${plain(namespace, 63)}`,
      { modal: true, detail },
      ...buttons,
    );
    if (answer === undefined) return;
    const { stringify } = await import('yaml');
    const text =
      answer === KEY
        ? made.key
        : answer === ADDRESS
          ? (address ?? '')
          : signingManifest(namespace, made)
              .map((object) => stringify(object))
              .join('---\n');
    await vscode.env.clipboard.writeText(text);
    vscode.window.setStatusBarMessage('$(check) Copied', 3000);
  }
}
