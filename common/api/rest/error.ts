/** How every refusal of the REST API reads. */
import Type from 'typebox';

export const ErrorBody = Type.Object(
  {
    error: Type.String({
      pattern: '^[a-z][a-z0-9_]*$',
      description: 'Stable code, for programs.',
      examples: ['forbidden'],
    }),
    message: Type.String({ description: 'What happened, for people.' }),
    details: Type.Record(Type.String(), Type.Unknown(), {
      description:
        '`remedy` says what to do about it; for policy_violation, `violations` names each rule and field.',
    }),
    traceId: Type.String({
      pattern: '^[0-9a-f]{32}$',
      description: "Of this request, in the operator's log and in the audit record.",
    }),
  },
  { description: 'A refusal.' },
);
export type ErrorBody = Type.Static<typeof ErrorBody>;
