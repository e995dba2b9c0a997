/** The formats of output that the runner knows. */
import type { RunDescription } from '../../common/api/runner.ts';
import { ClaudeStream } from './claude-stream-json.ts';
import { CodexEvents } from './codex-json.ts';
import { NdjsonEvents } from './ndjson.ts';
import type { Translator, TranslatorOptions } from './translator.ts';

/** Undefined where every line is output. */
export function translatorFor(
  format: RunDescription['eventFormat'],
  options: TranslatorOptions,
): Translator | undefined {
  switch (format) {
    case 'text':
      return undefined;
    case 'ndjson':
      return guarded(new NdjsonEvents(options));
    case 'claude-stream-json':
      return guarded(new ClaudeStream(options));
    case 'codex-json':
      return guarded(new CodexEvents(options));
  }
}

/** JSON can be nested deeper than it can be written again: such a line is output. */
function guarded(translator: Translator): Translator {
  return {
    line(text) {
      try {
        return translator.line(text);
      } catch {
        return undefined;
      }
    },
  };
}
