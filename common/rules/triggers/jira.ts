/** Events of Jira: https://developer.atlassian.com/cloud/jira/platform/webhooks/ */
import type { Delivery, TriggerEvent } from './event.ts';
import { at, bodyAt, listAt, nameAt, namesOf, present, TEXT_MAX, titleAt, urlAt } from './read.ts';

/** Parts of a document that are looked at; longer ones lose their end. */
const NODES_MAX = 5000;

export function jiraEvent({ payload }: Delivery): TriggerEvent {
  const event = nameAt(payload, 'webhookEvent')?.replace(/^jira:/, '') ?? 'unknown';
  const fields = at(payload, 'issue', 'fields');
  const change = changeOf(payload);
  const user =
    at(payload, 'user') ?? at(payload, 'comment', 'updateAuthor') ?? at(payload, 'comment', 'author');
  const key = nameAt(payload, 'issue', 'key');
  return present<TriggerEvent>({
    source: 'jira',
    event,
    action: actionOf(event, change),
    repository: nameAt(fields, 'project', 'key') ?? key?.replace(/-[0-9]+$/, ''),
    branch: undefined,
    base: undefined,
    commit: undefined,
    labels: namesOf(listAt(fields, 'labels')),
    changedLabels: change.labels,
    status: change.status ?? nameAt(fields, 'status', 'name'),
    // Display names are anybody's to choose.
    author: nameAt(user, 'name') ?? nameAt(user, 'accountId'),
    association: undefined,
    isBot: at(user, 'accountType') === 'app',
    paths: undefined,
    url: browseUrl(payload, key),
    title: titleAt(fields, 'summary'),
    number: key,
    text: richText(at(payload, 'comment', 'body')) ?? richText(at(fields, 'description')),
    isPing: false,
  });
}

interface Change {
  status?: string | undefined;
  /** That were added. */
  labels?: string[] | undefined;
}

function changeOf(payload: unknown): Change {
  const change: Change = {};
  for (const item of listAt(payload, 'changelog', 'items').slice(0, 100)) {
    const field = at(item, 'field');
    if (field === 'status') change.status = nameAt(item, 'toString');
    if (field === 'labels') {
      const before = new Set(bodyAt(item, 'fromString')?.split(/\s+/));
      const after = bodyAt(item, 'toString')?.split(/\s+/) ?? [];
      change.labels = namesOf(after.filter((label) => !before.has(label)));
    }
  }
  return change;
}

/** `issue_updated` says little: what was changed says more. */
function actionOf(event: string, { status, labels }: Change): string | undefined {
  if (status !== undefined) return 'transitioned';
  if (labels !== undefined) return 'labeled';
  return /_([a-z]+)$/.exec(event)?.[1];
}

/** The page for people; `self` is the API's. */
function browseUrl(payload: unknown, key: string | undefined): string | undefined {
  const self = urlAt(payload, 'issue', 'self');
  if (self === undefined || key === undefined || !URL.canParse(self)) return undefined;
  return `${new URL(self).origin}/browse/${encodeURIComponent(key)}`;
}

/** Plain, or the text of an Atlassian document, https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/ */
function richText(value: unknown): string | undefined {
  if (typeof value === 'string') return bodyAt([value], 0);
  let text = '';
  const open: unknown[] = [value];
  for (let seen = 0; open.length > 0 && seen < NODES_MAX && text.length < TEXT_MAX; seen++) {
    const node = open.pop();
    const own = at(node, 'text');
    if (typeof own === 'string') text += own;
    const type = at(node, 'type');
    if (type === 'paragraph' || type === 'heading' || type === 'hardBreak' || type === 'listItem')
      text += '\n';
    const content = listAt(node, 'content');
    for (let index = Math.min(content.length, NODES_MAX) - 1; index >= 0; index--) open.push(content[index]);
  }
  return bodyAt([text.trim()], 0);
}
