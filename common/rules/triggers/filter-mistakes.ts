/** What is wrong with the filters of a trigger: what matches nothing, and what matches everything. */
import type { SessionTriggerSpec, TriggerFilter } from '../../api/session-trigger.ts';
import { coversGlob } from '../policy/glob.ts';
import { entries, error, warning } from '../policy/mistake.ts';
import type { PolicyMistake } from '../policy/mistake.ts';
import { formatList } from '../wording.ts';
import { GLOB_FILTERS } from './match.ts';

type Source = SessionTriggerSpec['source'];
type Filter = (typeof GLOB_FILTERS)[number];

/** Filters for which no event of a source has anything. */
const NEVER: Record<Source, readonly Filter[]> = {
  github: [],
  jira: ['branches', 'associations', 'paths'],
  slack: ['branches', 'labels', 'associations', 'paths', 'statuses'],
  generic: [],
};

/** Events that triggers are made for; others come through by their own names. */
const KNOWN: Record<Source, readonly string[]> = {
  github: [
    ...['pull_request', 'pull_request_review', 'pull_request_review_comment', 'pull_request_target'],
    ...['issues', 'issue_comment', 'push', 'create', 'delete', 'release', 'discussion', 'discussion_comment'],
    ...['check_run', 'check_suite', 'workflow_run', 'workflow_job', 'workflow_dispatch', 'status'],
    ...['deployment', 'deployment_status', 'repository_dispatch', 'label', 'milestone', 'commit_comment'],
    ...['dependabot_alert', 'code_scanning_alert', 'secret_scanning_alert', 'merge_group', 'fork', 'star'],
  ],
  jira: [
    ...['issue_created', 'issue_updated', 'issue_deleted', 'comment_created', 'comment_updated'],
    ...['comment_deleted', 'worklog_created', 'sprint_started', 'sprint_closed'],
  ],
  slack: ['app_mention', 'message', 'slash_command', 'reaction_added', 'reaction_removed'],
  generic: [],
};

/** Of GitHub, where every one of the events named lacks what a filter asks for. */
const GITHUB_HAS: Partial<Record<Filter, readonly string[]>> = {
  branches: [
    ...['push', 'pull_request', 'pull_request_review', 'pull_request_review_comment', 'pull_request_target'],
    ...['check_run', 'check_suite', 'workflow_run', 'workflow_job', 'merge_group'],
  ],
  paths: ['push', 'pull_request_review_comment'],
  labels: [
    ...['pull_request', 'pull_request_review', 'pull_request_review_comment', 'pull_request_target'],
    ...['issues', 'issue_comment', 'discussion', 'discussion_comment'],
  ],
};

export function filterMistakes({ source, when = {} }: SessionTriggerSpec): PolicyMistake[] {
  const found: PolicyMistake[] = [];
  for (const name of [...GLOB_FILTERS, 'notAuthors'] as const) {
    const globs = when[name];
    if (globs === undefined) continue;
    const path = `spec.when.${name}`;
    found.push(...entries(path, globs));
    if (globs.length === 0 && name !== 'notAuthors')
      found.push(error(path, 'is empty, so nothing matches. List something, or remove the field.'));
    if (name !== 'notAuthors') found.push(...ofSource(path, name, source, when));
  }
  return [
    ...found,
    ...events(source, when),
    ...actions(source, when),
    ...authors(when),
    ...everything(source, when),
  ];
}

function ofSource(path: string, name: Filter, source: Source, { events }: TriggerFilter): PolicyMistake[] {
  if (NEVER[source].includes(name))
    return [error(path, `no event of ${source} has any, so nothing matches. Remove the field.`)];
  const having = GITHUB_HAS[name];
  if (source !== 'github' || having === undefined || events === undefined || events.length === 0) return [];
  const isInVain = events.every((event) => !event.includes('*') && !having.includes(event));
  if (!isInVain) return [];
  const message = `${formatList(events)} ${events.length === 1 ? 'has' : 'have'} none, so nothing matches. It is there in: ${formatList(having)}.`;
  return [error(path, message)];
}

function events(source: Source, { events: globs = [] }: TriggerFilter): PolicyMistake[] {
  const known = KNOWN[source];
  if (known.length === 0) return [];
  return globs.flatMap((glob, index) => {
    const path = `spec.when.events[${index}]`;
    if (source === 'jira' && glob.startsWith('jira:')) {
      const message = `"${glob}" is written without its beginning: "${glob.slice('jira:'.length)}".`;
      return [error(path, message)];
    }
    if (glob.includes('*') || known.includes(glob)) return [];
    // Actions stand behind the event in other tools.
    const [event = '', action] = glob.split('.', 2);
    if (action !== undefined && known.includes(event))
      return [error(path, `"${glob}" is event "${event}" and, in spec.when.actions, "${action}".`)];
    return [
      warning(
        path,
        `"${glob}" is no event of ${source} that is known here. Known: ${formatList(known, 30)}.`,
      ),
    ];
  });
}

/** Events that come again when what they are about is edited, closed or deleted, with what is mostly meant. */
const COMES_AGAIN: Partial<Record<Source, Readonly<Record<string, string>>>> = {
  github: {
    pull_request: 'opened, synchronize',
    issues: 'opened',
    issue_comment: 'created',
    pull_request_review: 'submitted',
    pull_request_review_comment: 'created',
    discussion: 'created',
    discussion_comment: 'created',
    check_run: 'completed',
    check_suite: 'completed',
    workflow_run: 'completed',
    release: 'published',
  },
  slack: { message: 'posted' },
};

function actions(source: Source, { events: globs = [], actions: wanted }: TriggerFilter): PolicyMistake[] {
  if (wanted !== undefined) return [];
  return globs.flatMap((event, index) => {
    const meant = COMES_AGAIN[source]?.[event];
    if (meant === undefined) return [];
    const message = `"${event}" also comes when something is edited, closed or deleted, and each time starts a session. List spec.when.actions, as ${meant}.`;
    return [warning(`spec.when.events[${index}]`, message)];
  });
}

function authors({ authors: wanted = [], notAuthors = [] }: TriggerFilter): PolicyMistake[] {
  return wanted.flatMap((glob, index) => {
    const against = notAuthors.find((outer) => coversGlob(outer.toLowerCase(), glob.toLowerCase()));
    if (against === undefined) return [];
    const message = `"${glob}" is excluded by "${against}" in notAuthors, so it matches nothing. Remove one of the two.`;
    return [error(`spec.when.authors[${index}]`, message)];
  });
}

function everything(source: Source, when: TriggerFilter): PolicyMistake[] {
  const { bots: _, ...filters } = when;
  const isFree = Object.values(filters).every((globs) => globs === undefined);
  if (!isFree || source === 'generic') return [];
  return [warning('spec.when', `is empty, so every event of ${source} starts a session. Name events.`)];
}
