/**
 * The audit record: who did what to which session, and what came of it. In a namespace each writer (a process of the operator)
 * has a chain of its own: each record carries the hash of the one before, so that removing, editing, reordering or cutting
 * off shows (common/rules/audit-chain.ts).
 */
import Type from 'typebox';

export const AUDIT_ACTIONS = ['create', 'update', 'delete', 'view'] as const;
/** allowed: it was done; denied: refused by a rule; failed: attempted, and something broke. */
export const AUDIT_OUTCOMES = ['allowed', 'denied', 'failed'] as const;

export const AuditRecord = Type.Object({
  seq: Type.Integer({ minimum: 1, description: 'Gap-free in its chain, from 1.' }),
  writer: Type.String({ description: 'Whose chain of the namespace this record belongs to.' }),
  timestamp: Type.String({ format: 'date-time' }),
  namespace: Type.String(),
  sessionId: Type.Optional(Type.String({ description: 'Name of the Session.' })),
  sessionUid: Type.Optional(Type.String()),
  actor: Type.String({ description: 'User name, or system:ambient-operator.' }),
  action: Type.Enum([...AUDIT_ACTIONS]),
  resource: Type.String({
    description: 'For example sessions, sessions/log, sessions/artifacts, namespacepolicies.',
  }),
  outcome: Type.Enum([...AUDIT_OUTCOMES]),
  details: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  traceId: Type.Optional(Type.String()),
  previous: Type.String({ description: 'hash of the record before; 64 zeros for the first.' }),
  hash: Type.String({
    pattern: '^[0-9a-f]{64}$',
    description: 'SHA-256 over the record without this field.',
  }),
});
export type AuditRecord = Type.Static<typeof AuditRecord>;

/** What whoever reports knows; number, time and hashes are the chain's. */
export type AuditEvent = Omit<AuditRecord, 'seq' | 'writer' | 'timestamp' | 'previous' | 'hash'>;
