/** Events to try triggers with, shaped as their senders shape them, as small as they can be. */
import type { WebhookSource } from '../../common/api/session.ts';

export interface SampleEvent {
  title: string;
  /** The event, where the payload does not name it. */
  headers: Readonly<Record<string, string>>;
  payload: object;
}

const repository = {
  full_name: 'acme/shop',
  clone_url: 'https://github.com/acme/shop.git',
  default_branch: 'main',
};
const sender = { login: 'ann', type: 'User' };
const SHA = '0000000000000000000000000000000000000001';
const issue = {
  number: 41,
  title: 'A sample issue',
  body: 'Sent from the editor to try a trigger.',
  state: 'open',
  labels: [{ name: 'agent' }],
  author_association: 'MEMBER',
  html_url: 'https://github.com/acme/shop/issues/41',
};
const person = { accountId: '5b10a2844c20165700ede21g', displayName: 'Ann', accountType: 'atlassian' };
const jiraIssue = {
  key: 'SHOP-41',
  self: 'https://acme.atlassian.net/rest/api/2/10041',
  fields: {
    summary: 'A sample issue',
    description: 'Sent from the editor to try a trigger.',
    project: { key: 'SHOP' },
    labels: ['agent'],
    status: { name: 'Ready for Agent' },
  },
};

export const SAMPLE_EVENTS: Readonly<Record<WebhookSource, readonly SampleEvent[]>> = {
  github: [
    {
      title: 'Pull request opened',
      headers: { 'X-GitHub-Event': 'pull_request' },
      payload: {
        action: 'opened',
        number: 42,
        pull_request: {
          number: 42,
          title: 'A sample pull request',
          body: 'Sent from the editor to try a trigger.',
          state: 'open',
          draft: false,
          labels: [],
          author_association: 'MEMBER',
          html_url: 'https://github.com/acme/shop/pull/42',
          head: { ref: 'sample', sha: SHA, repo: repository },
          base: { ref: 'main', sha: SHA, repo: repository },
        },
        repository,
        sender,
      },
    },
    {
      title: 'Issue labeled agent',
      headers: { 'X-GitHub-Event': 'issues' },
      payload: { action: 'labeled', issue, label: { name: 'agent' }, repository, sender },
    },
    {
      title: 'Comment /review',
      headers: { 'X-GitHub-Event': 'issue_comment' },
      payload: {
        action: 'created',
        issue,
        comment: {
          body: '/review',
          author_association: 'MEMBER',
          html_url: 'https://github.com/acme/shop/issues/41#issuecomment-1',
        },
        repository,
        sender,
      },
    },
    {
      title: 'Push to main',
      headers: { 'X-GitHub-Event': 'push' },
      payload: {
        ref: 'refs/heads/main',
        after: SHA,
        commits: [{ id: SHA, message: 'A sample commit', added: [], modified: ['README.md'], removed: [] }],
        head_commit: { id: SHA, message: 'A sample commit' },
        repository,
        sender,
      },
    },
  ],
  jira: [
    {
      title: 'Issue moved to Ready for Agent',
      headers: {},
      payload: {
        webhookEvent: 'jira:issue_updated',
        user: person,
        issue: jiraIssue,
        changelog: { items: [{ field: 'status', fromString: 'To Do', toString: 'Ready for Agent' }] },
      },
    },
    {
      title: 'Issue created',
      headers: {},
      payload: { webhookEvent: 'jira:issue_created', user: person, issue: jiraIssue },
    },
  ],
  slack: [
    {
      title: 'Mention in a channel',
      headers: {},
      payload: {
        type: 'event_callback',
        team_id: 'T00000001',
        event: {
          type: 'app_mention',
          user: 'U00000001',
          channel: 'C00000001',
          ts: '1700000000.000001',
          text: '<@U00000002> a sample question',
        },
      },
    },
  ],
  generic: [
    {
      title: 'Event with a title and a text',
      headers: {},
      payload: {
        event: 'sample',
        action: 'sent',
        title: 'A sample event',
        text: 'Sent from the editor to try a trigger.',
      },
    },
  ],
};
