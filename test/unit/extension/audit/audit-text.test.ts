/** Audit records as a person reads them. */
import assert from 'node:assert/strict';
import type { AuditRecord } from '../../../../common/api/audit.ts';
import { auditText, parseAudit } from '../../../../extension/audit/audit-text.ts';

const REF = { cluster: 'dev', namespace: 'team-a', name: 's1' };
const record = (seq: number, more: Partial<AuditRecord> = {}): AuditRecord => ({
  seq,
  writer: 'operator-1',
  timestamp: '2030-01-01T00:00:00Z',
  namespace: 'team-a',
  sessionId: 's1',
  actor: 'ann',
  action: 'create',
  resource: 'sessions',
  outcome: 'allowed',
  previous: '0'.repeat(64),
  hash: '0'.repeat(64),
  ...more,
});
const ndjson = (...records: unknown[]): string => records.map((each) => `${JSON.stringify(each)}\n`).join('');

describe('the audit records of a session', () => {
  it('are a table with a line for each', () => {
    const text = ndjson(
      record(3),
      record(17, {
        actor: 'bob@example.com',
        action: 'update',
        resource: 'sessions/approve',
        outcome: 'denied',
        details: { reason: 'approval_forbidden', groups: ['team-b'] },
      }),
    );
    assert.equal(
      auditText(REF, parseAudit(text)),
      [
        '# Audit records of session s1 in team-a: 2 records, oldest first.',
        '# Each writer, a process of the operator, counts the records of the whole namespace.',
        '# A record carries the hash of the one before.',
        '',
        'Writer      Number  Time                  Actor            Action  Resource          Outcome  Details',
        'operator-1  3       2030-01-01T00:00:00Z  ann              create  sessions          allowed',
        'operator-1  17      2030-01-01T00:00:00Z  bob@example.com  update  sessions/approve  denied   reason: approval_forbidden · groups: ["team-b"]',
        '',
      ].join('\n'),
    );
  });

  it('say so when there are none', () => {
    assert.match(auditText(REF, parseAudit('\n')), /0 records[^]*Nothing has been recorded yet/);
  });

  it('leave out what is no record, and say how much that was', () => {
    const parsed = parseAudit(
      `${ndjson(record(1), { seq: 'x' }, record(2, { outcome: 'maybe' as 'denied' }))}{"broken`,
    );
    assert.equal(parsed.records.length, 1);
    assert.match(auditText(REF, parsed), /3 lines could not be read/);
  });

  it('are one line each, whatever is in them', () => {
    const text = auditText(REF, parseAudit(ndjson(record(1, { actor: 'eve\n2  forged\u202e\u001b[2J' }))));
    assert.equal(text.trimEnd().split('\n').length, 6);
    assert.doesNotMatch(text, /[\u202e\u001b]/);
  });
});
