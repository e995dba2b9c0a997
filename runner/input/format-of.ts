/** A command is told what people say in the format of the events that it prints. */
import type { RunDescription } from '../../common/api/runner.ts';
import { claudeStreamJson } from './claude-stream-json.ts';
import type { InputFormat } from './format.ts';
import { ndjson } from './ndjson.ts';
import { plainText } from './plain-text.ts';

const FORMATS: Readonly<Partial<Record<string, InputFormat>>> = {
  text: plainText,
  'claude-stream-json': claudeStreamJson,
};

export const inputFormatOf = (eventFormat: RunDescription['eventFormat']): InputFormat =>
  FORMATS[eventFormat] ?? ndjson;
