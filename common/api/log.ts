/** A session's log: numbered records, one JSON object a line. The vocabulary every framework's output is turned into. */
import Type from 'typebox';

/** UTF-8 bytes of text in one record; a longer output line becomes several records, all but the last `partial`. */
export const RECORD_TEXT_MAX = 16 * 1024;
export const QUESTION_WITHDRAWN = 'question-withdrawn';

/**
 * output: a line of stdout or stderr; status: something the runner did (checkout, start, upload, exit);
 * error: something that went wrong outside the command; user: what a person said to the running session, `name` who; the
 * rest are what agents report.
 *
 * Of an agent's own stream (common/api/framework.ts, eventFormat), `data.raw` of the first record of a line is the line itself,
 * cut above 8 KiB (`rawBytes`: how long it was). Besides: tool-call data.input; tool-result data.isError, data.exitCode;
 * file-change text and data.path relative to the workspace, name and data.kind add, update or delete, data.patch; usage
 * data.model, inputTokens, cacheReadTokens, cacheWriteTokens, outputTokens and of these thinkingTokens, each token in one record
 * only; `status` and `error` named `agent` are the agent's own, data.conversation the id by which it finds the conversation
 * again; data.parent the tool-call of the helper that speaks. A `status` named QUESTION_WITHDRAWN takes back the question of its id,
 * which nobody need answer any more.
 */
export const RECORD_TYPES = [
  'output',
  'status',
  'error',
  'assistant',
  'thinking',
  'tool-call',
  'tool-result',
  'file-change',
  'usage',
  'question',
  'user',
] as const;

export const LogRecord = Type.Object({
  seq: Type.Integer({
    minimum: 1,
    description: 'Gap-free number from 1: what `since` counts and what makes resending harmless.',
  }),
  time: Type.String({ format: 'date-time', description: 'When the runner saw it.' }),
  type: Type.Enum([...RECORD_TYPES]),
  text: Type.String(),
  stream: Type.Optional(Type.Enum(['stdout', 'stderr'])),
  partial: Type.Optional(Type.Boolean({ description: 'The line goes on in the next record.' })),
  id: Type.Optional(Type.String({ maxLength: 256, description: 'Pairs a tool-result with its tool-call.' })),
  name: Type.Optional(Type.String({ maxLength: 256, description: 'Tool or step name.' })),
  data: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
});
export type LogRecord = Type.Static<typeof LogRecord>;
