/** Events of GitHub: https://docs.github.com/en/webhooks/webhook-events-and-payloads */
import type { Delivery, TriggerEvent } from './event.ts';
import {
  at,
  bodyAt,
  firstLine,
  listAt,
  nameAt,
  namesOf,
  numberAt,
  pathsOf,
  present,
  titleAt,
  urlAt,
} from './read.ts';

/** What an event is about, the most particular first. */
const SUBJECTS = [
  ...['comment', 'review', 'check_run', 'workflow_run', 'check_suite', 'pull_request', 'issue'],
  ...['release', 'discussion'],
] as const;

export function githubEvent({ headers, payload }: Delivery): TriggerEvent {
  const event = nameAt(headers, 'x-github-event') ?? inferred(payload);
  const isPush = event === 'push';
  const subject = SUBJECTS.map((name) => at(payload, name)).find((each) => typeof each === 'object' && each);
  const issue = at(payload, 'pull_request') ?? at(payload, 'issue') ?? at(payload, 'discussion');
  const run = at(payload, 'check_run') ?? at(payload, 'workflow_run');
  const suite = at(run, 'check_suite') ?? at(payload, 'check_suite') ?? run;
  const author = nameAt(payload, 'sender', 'login');
  const label = at(payload, 'label');
  return present<TriggerEvent>({
    source: 'github',
    event,
    action: isPush ? pushAction(payload) : nameAt(payload, 'action'),
    repository: nameAt(payload, 'repository', 'full_name'),
    branch: isPush
      ? headName(payload)
      : (nameAt(payload, 'pull_request', 'head', 'ref') ?? nameAt(suite, 'head_branch')),
    base: nameAt(payload, 'pull_request', 'base', 'ref'),
    commit: isPush
      ? nameAt(payload, 'after')
      : (nameAt(payload, 'pull_request', 'head', 'sha') ??
        nameAt(run, 'head_sha') ??
        nameAt(suite, 'head_sha') ??
        nameAt(payload, 'sha')),
    labels: namesOf(listAt(issue, 'labels')),
    changedLabels: label === undefined ? undefined : namesOf([label]),
    status: statusOf(payload, run, suite, issue),
    author,
    association: nameAt(subject, 'author_association') ?? nameAt(issue, 'author_association'),
    isBot: at(payload, 'sender', 'type') === 'Bot' || author?.endsWith('[bot]') === true,
    paths: changedPaths(event, payload),
    url: urlAt(subject, 'html_url') ?? urlAt(payload, 'compare') ?? urlAt(payload, 'target_url'),
    title:
      titleAt(issue, 'title') ??
      titleAt(subject, 'name') ??
      titleAt(payload, 'context') ??
      firstLine(bodyAt(payload, 'head_commit', 'message')),
    number: numberAt(issue, 'number') ?? numberAt(suite, 'pull_requests', 0, 'number'),
    text:
      bodyAt(subject, 'body') ??
      bodyAt(run, 'output', 'summary') ??
      bodyAt(payload, 'head_commit', 'message') ??
      bodyAt(payload, 'description'),
    isPing: event === 'ping',
  });
}

/** Without the header, as tools that are not GitHub send it. */
function inferred(payload: unknown): string {
  const has = (name: string): boolean => typeof at(payload, name) === 'object' && at(payload, name) !== null;
  if (at(payload, 'zen') !== undefined) return 'ping';
  if (has('comment')) return has('pull_request') ? 'pull_request_review_comment' : 'issue_comment';
  if (has('review')) return 'pull_request_review';
  if (has('issue')) return 'issues';
  if (has('commits')) return 'push';
  return SUBJECTS.find(has) ?? 'unknown';
}

function headName(payload: unknown): string | undefined {
  const ref = nameAt(payload, 'ref');
  return ref?.startsWith('refs/heads/') === true ? ref.slice('refs/heads/'.length) : undefined;
}

const pushAction = (payload: unknown): string =>
  at(payload, 'deleted') === true ? 'deleted' : at(payload, 'created') === true ? 'created' : 'pushed';

function statusOf(payload: unknown, run: unknown, suite: unknown, issue: unknown): string | undefined {
  const check = nameAt(run, 'conclusion') ?? nameAt(suite, 'conclusion') ?? nameAt(run, 'status');
  if (check !== undefined) return check;
  const review = nameAt(payload, 'review', 'state');
  if (review !== undefined) return review;
  if (at(issue, 'merged') === true) return 'merged';
  if (at(issue, 'draft') === true && at(issue, 'state') === 'open') return 'draft';
  return nameAt(issue, 'state') ?? nameAt(suite, 'status') ?? nameAt(payload, 'state');
}

function changedPaths(event: string, payload: unknown): string[] | undefined {
  if (event === 'push') {
    const commits = listAt(payload, 'commits');
    return pathsOf(
      commits.flatMap((each) => ['added', 'modified', 'removed'].map((name) => listAt(each, name))),
    );
  }
  const path = at(payload, 'comment', 'path');
  return typeof path === 'string' ? pathsOf([[path]]) : undefined;
}
