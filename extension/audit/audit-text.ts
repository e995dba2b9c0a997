/** A session's audit records as a table in a document. Pure; text from outside is made harmless. */
import { AUDIT_ACTIONS, AUDIT_OUTCOMES } from '../../common/api/audit.ts';
import type { AuditRecord } from '../../common/api/audit.ts';
import { count } from '../../common/rules/wording.ts';
import { plain } from '../ide/plain-text.ts';
import type { SessionRef } from '../sessions/session-ref.ts';

export interface ParsedAudit {
  records: AuditRecord[];
  /** Lines that are no audit record. */
  unreadable: number;
}

const CELL_MAX = 60;
const DETAILS_MAX = 1000;

export function parseAudit(ndjson: string): ParsedAudit {
  const parsed: ParsedAudit = { records: [], unreadable: 0 };
  for (const line of ndjson.split('\n')) {
    if (line.trim() === '') continue;
    const record = parseLine(line);
    if (record === undefined) parsed.unreadable += 1;
    else parsed.records.push(record);
  }
  return parsed;
}

function parseLine(line: string): AuditRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { seq, writer, timestamp, actor, action, resource, outcome, details } = value as Partial<AuditRecord>;
  const fits =
    Number.isSafeInteger(seq) &&
    [writer, timestamp, actor, resource].every((field) => typeof field === 'string') &&
    (AUDIT_ACTIONS as readonly unknown[]).includes(action) &&
    (AUDIT_OUTCOMES as readonly unknown[]).includes(outcome) &&
    (details === undefined || (typeof details === 'object' && details !== null));
  return fits ? (value as AuditRecord) : undefined;
}

const COLUMNS: readonly { title: string; cell: (record: AuditRecord) => string }[] = [
  { title: 'Writer', cell: ({ writer }) => plain(writer, CELL_MAX) },
  { title: 'Number', cell: ({ seq }) => String(seq) },
  { title: 'Time', cell: ({ timestamp }) => plain(timestamp, CELL_MAX) },
  { title: 'Actor', cell: ({ actor }) => plain(actor, CELL_MAX) },
  { title: 'Action', cell: ({ action }) => action },
  { title: 'Resource', cell: ({ resource }) => plain(resource, CELL_MAX) },
  { title: 'Outcome', cell: ({ outcome }) => outcome },
  { title: 'Details', cell: ({ details }) => detailsText(details) },
];

export function auditText({ namespace, name }: SessionRef, { records, unreadable }: ParsedAudit): string {
  const lines = [
    `# Audit records of session ${plain(name)} in ${plain(namespace)}: ${count(records.length, 'record')}, oldest first.`,
    '# Each writer, a process of the operator, counts the records of the whole namespace.',
    '# A record carries the hash of the one before.',
    ...(unreadable === 0 ? [] : [`# ${count(unreadable, 'line')} could not be read and are left out.`]),
    '',
  ];
  if (records.length === 0) return [...lines, 'Nothing has been recorded yet.', ''].join('\n');
  const rows = [
    COLUMNS.map(({ title }) => title),
    ...records.map((record) => COLUMNS.map(({ cell }) => cell(record))),
  ];
  const widths = COLUMNS.map((_, column) =>
    rows.reduce((width, row) => Math.max(width, (row[column] ?? '').length), 0),
  );
  const text = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return [...lines, ...text, ''].join('\n');
}

const detailsText = (details: AuditRecord['details']): string =>
  plain(
    Object.entries(details ?? {})
      .map(([key, value]) => `${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
      .join(' · '),
    DETAILS_MAX,
  );
