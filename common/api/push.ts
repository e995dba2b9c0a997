/**
 * The contract of the pod that pushes the changes of a completed session. No agent has ever been in it: it has the credentials, a
 * description of its own in /ambient/session.json, and a token with audience `ambient-push` that opens two paths:
 *   GET  /runner/v1/push/changes.patch  what the session changed
 *   POST /runner/v1/push/report         PushReport → 204. The last one counts.
 * It ends with exit code 0 when the report is final, and otherwise with 1, to be started again.
 */
import Type from 'typebox';
import { RUN_API_VERSION } from './runner.ts';
import { BRANCH_MAX } from './session.ts';

/** Of STEP_VARIABLE. */
export const PUSH_STEP = 'push';
export const PUSH_REPORT = 'report';
export const pushPath = (name: string): string => `/runner/v1/push/${name}`;

export const PushDescription = Type.Object({
  apiVersion: Type.Literal(RUN_API_VERSION),
  session: Type.Object({ namespace: Type.String(), name: Type.String(), uid: Type.String() }),
  source: Type.Object({
    url: Type.String(),
    ref: Type.Optional(Type.String({ description: 'As it was cloned.' })),
    commit: Type.String({ pattern: '^[0-9a-f]{40,64}$', description: 'That the changes are against.' }),
  }),
  credentials: Type.String({ description: 'Name of the Secret, for people.' }),
  branches: Type.Array(Type.String(), {
    minItems: 1,
    description: 'In order: the next is taken where one is there already and holds something else.',
  }),
  commit: Type.Object(
    {
      author: Type.Object({ name: Type.String(), email: Type.String() }),
      at: Type.String({ format: 'date-time' }),
      message: Type.String(),
    },
    { description: 'The same for every attempt, so that it is always the same commit.' },
  ),
  env: Type.Record(Type.String(), Type.String(), {
    description: "The framework's: perhaps how servers are reached.",
  }),
  endpoint: Type.Object({ url: Type.String(), ca: Type.String({ description: 'PEM.' }) }),
});
export type PushDescription = Type.Static<typeof PushDescription>;

export const PUSH_REFUSALS = ['BranchExists', 'Rejected', 'BaseGone', 'DoesNotApply'] as const;
export const PUSH_FAILURES = [
  'CredentialsMissing',
  'CredentialsRefused',
  'Unreachable',
  'PushFailed',
] as const;

const Message = Type.String({ maxLength: 2048, description: 'For a person.' });

export const PushReport = Type.Union([
  Type.Object({
    state: Type.Literal('pushed'),
    branch: Type.String({ maxLength: BRANCH_MAX + 16 }),
    commit: Type.String({ pattern: '^[0-9a-f]{40,64}$' }),
    base: Type.Optional(Type.String({ maxLength: 255, description: 'The branch that it began on.' })),
  }),
  Type.Object({ state: Type.Literal('unchanged') }),
  Type.Object({ state: Type.Literal('refused'), reason: Type.Enum([...PUSH_REFUSALS]), message: Message }),
  Type.Object(
    { state: Type.Literal('failed'), reason: Type.Enum([...PUSH_FAILURES]), message: Message },
    { description: 'May come out differently the next time.' },
  ),
]);
export type PushReport = Type.Static<typeof PushReport>;
