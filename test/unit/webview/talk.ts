/** Logs of agents as the session page shows them: made by the code that makes them for real. */
import type { LogRecord } from '../../../common/api/log.ts';
import { Conversation } from '../../../extension/panels/conversation/conversation.ts';

export type Said = Omit<LogRecord, 'seq' | 'time'>;

const START = Date.parse('2030-03-04T14:03:07Z');

export const recordsOf = (said: readonly Said[], from = 1): LogRecord[] =>
  said.map((each, index) => ({
    seq: from + index,
    time: new Date(START + (from + index) * 4000).toISOString(),
    ...each,
  }));

export function conversationOf(said: readonly Said[]): Conversation {
  const conversation = new Conversation();
  for (const record of recordsOf(said)) conversation.add(record);
  return conversation;
}

const used = (inputTokens: number, outputTokens: number, costUsd: string): Said => ({
  type: 'usage',
  text: '',
  data: { model: 'claude-sonnet', inputTokens, outputTokens, costUsd },
});

/** Something of everything. */
export const TALK: readonly Said[] = [
  { type: 'status', text: 'started: claude -p', name: 'start' },
  { type: 'user', text: 'Look for what is slow in the report, and mend it.', name: 'ann@example.com' },
  {
    type: 'thinking',
    text: 'The table of pairs grows with the square of files.\nA threshold keeps it small; first I want to see where the time goes.',
  },
  { type: 'assistant', text: 'I will look at which files change together most often, and measure first.' },
  used(1200, 180, '0.0063'),
  { type: 'tool-call', name: 'Bash', id: 't1', text: 'git log --numstat --since=2.years | wc -l' },
  { type: 'tool-result', id: 't1', text: '8831' },
  { type: 'output', stream: 'stdout', text: 'reading the history: 1,284 commits by 14 people' },
  { type: 'output', stream: 'stderr', text: 'warning: 3 commits without an author date' },
  used(5400, 640, '0.0214'),
  { type: 'tool-call', name: 'Edit', id: 't2', text: 'report.py' },
  { type: 'tool-result', id: 't2', text: 'string not found in file', data: { is_error: true } },
  { type: 'tool-call', name: 'Write', id: 't3', text: 'report.py' },
  { type: 'tool-result', id: 't3', text: '' },
  { type: 'file-change', text: '/workspace/report.py', name: 'Write' },
  { type: 'file-change', text: '/workspace/tests/test_report.py', name: 'Write' },
  used(9100, 2210, '0.0702'),
  { type: 'error', text: 'the model is overloaded; trying again in 3 s' },
  {
    type: 'question',
    text: 'Shall pairs that changed together fewer than five times be left out?',
    data: { options: ['Yes', 'No, show all of them'] },
  },
];
