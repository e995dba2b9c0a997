/** Records about the chains themselves: that one begins, that retention trimmed some, that something could not be recorded. */
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { AuditEvent, AuditRecord } from '../../../common/api/audit.ts';
import { OPERATOR_ACTOR } from '../../../common/api/names.ts';

export const AUDIT_RESOURCE = 'audit';

export const PublishedHead = Type.Object({
  writer: Type.String(),
  seq: Type.Integer({ minimum: 1 }),
  hash: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  at: Type.String({ description: 'Timestamp of that record.' }),
});
/** A record of a chain that must be there. */
export type PublishedHead = Type.Static<typeof PublishedHead>;

const Begin = Type.Object({ mark: Type.Literal('begin'), earlier: Type.Array(PublishedHead) });
const TrimMark = Type.Object({
  mark: Type.Literal('trim'),
  /** The namespace, where that is not the record's own. */
  of: Type.Optional(Type.String()),
  before: Type.String(),
  /** The last record that is gone, of every chain of the namespace that does not begin with its first any more. */
  through: Type.Array(PublishedHead),
});
/** Head of a chain of any namespace. */
export const ChainHeadOf = Type.Object({ namespace: Type.String(), ...PublishedHead.properties });
export type ChainHeadOf = Type.Static<typeof ChainHeadOf>;
const Rest = Type.Object({ mark: Type.Literal('rest'), heads: Type.Array(ChainHeadOf) });
export type TrimMark = Type.Static<typeof TrimMark>;
export interface Gap {
  records: number;
  from: string;
  to: string;
  reason: string;
}

const beginValidator = Compile(Begin);
const trimValidator = Compile(TrimMark);
const restValidator = Compile(Rest);

const about = (namespace: string): Omit<AuditEvent, 'action' | 'outcome'> => ({
  namespace,
  actor: OPERATOR_ACTOR,
  resource: AUDIT_RESOURCE,
});

/** The first record of a chain names the heads published of the namespace's other chains, so that none can vanish. */
export const beginMark = (namespace: string, earlier: readonly PublishedHead[]): AuditEvent => ({
  ...about(namespace),
  action: 'create',
  outcome: 'allowed',
  details: { mark: 'begin', earlier },
});

export const trimMark = (namespace: string, trim: Omit<TrimMark, 'mark'>, of = namespace): AuditEvent => ({
  ...about(namespace),
  action: 'delete',
  outcome: 'allowed',
  details: { mark: 'trim', ...trim, ...(of === namespace ? {} : { of }) },
});

/** Heads of chains at rest, kept here from now on instead of among the published ones. */
export const restMark = (operatorNamespace: string, heads: readonly ChainHeadOf[]): AuditEvent => ({
  ...about(operatorNamespace),
  action: 'update',
  outcome: 'allowed',
  details: { mark: 'rest', heads },
});

/** Records that could not be written. `isStopped`: nothing of what they were to tell has happened. */
export const gapMark = (namespace: string, gap: Gap, isStopped: boolean): AuditEvent => ({
  ...about(namespace),
  action: 'update',
  outcome: 'failed',
  details: { mark: 'gap', ...gap, effect: isStopped ? 'refused' : 'unrecorded' },
});

export const earlierIn = ({ details }: AuditRecord): readonly PublishedHead[] =>
  beginValidator.Check(details) ? details.earlier : [];

/** With the namespace that was trimmed. */
export const trimIn = ({ details, namespace }: AuditRecord): (TrimMark & { of: string }) | undefined =>
  trimValidator.Check(details) ? { ...details, of: details.of ?? namespace } : undefined;

export const restingIn = ({ details }: AuditRecord): readonly ChainHeadOf[] =>
  restValidator.Check(details) ? details.heads : [];
