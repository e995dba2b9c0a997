/** As `claude --input-format stream-json` reads it: user messages, of which the task is the first, and control requests. */
import { objectIn, objectsIn, stringIn } from '../agents/json.ts';
import type { AgentEvent } from '../agents/event.ts';
import type { Said } from '../../common/api/runner.ts';
import { ALLOW, ALLOW_ALWAYS, DENY } from '../agents/permission.ts';
import type { InputFormat } from './format.ts';

const line = (value: unknown): string => `${JSON.stringify(value)}\n`;
const userLine = (text: string): string =>
  line({ type: 'user', message: { role: 'user', content: [{ type: 'text', text }] } });

export const claudeStreamJson: InputFormat = {
  opening: ({ framework }) => {
    const { prompt } = framework.config;
    return typeof prompt === 'string' && prompt !== '' ? userLine(prompt) : undefined;
  },
  message: ({ text }) => userLine(text),
  interrupt: ({ id }) => line({ type: 'control_request', request_id: id, request: { subtype: 'interrupt' } }),
  answer: answered,
};

/** A tool that it asks for may be used when these very words say so: what else is said was perhaps not meant for this question. */
function answered({ id, data }: AgentEvent, { text, by }: Said): string | undefined {
  const request = objectIn(data ?? {}, 'request');
  if (id === undefined || stringIn(request, 'subtype') !== 'can_use_tool') return undefined;
  const words = text.trim().toLowerCase();
  const isAlways = words === ALLOW_ALWAYS.toLowerCase();
  const isDenied = words === DENY.toLowerCase();
  const suggested = objectsIn(request, 'permission_suggestions');
  const response =
    isAlways || words === ALLOW.toLowerCase()
      ? {
          // Of the input the record may hold only a part: without one the agent takes its own.
          behavior: 'allow',
          // For as long as it runs: what stands in its settings is the operator's matter.
          ...(isAlways
            ? { updatedPermissions: suggested.map((rule) => ({ ...rule, destination: 'session' })) }
            : {}),
        }
      : {
          behavior: 'deny',
          message: isDenied ? `${by} does not allow it.` : `It is not allowed. ${by} said instead: ${text}`,
        };
  return line({ type: 'control_response', response: { subtype: 'success', request_id: id, response } });
}
