/** Log records as plain text: for `kubectl get --raw` and whoever wants to grep. */
import type { LogRecord } from '../../common/api/log.ts';

/** ECMA-48 control sequences and strings (colours, cursor moves, window titles, links), and single control characters. */
const CONTROLS =
  /\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

const plain = (text: string): string => text.replace(CONTROLS, '');

/** Text of one record, with its line end unless the line goes on in the next record. */
export function renderText(record: LogRecord): string {
  const text = plain(record.text);
  const name = plain(record.name ?? '').replaceAll('\n', ' ');
  switch (record.type) {
    case 'output':
    case 'assistant':
      return record.partial === true ? text : `${text}\n`;
    case 'tool-call':
    case 'tool-result':
      return `[${record.type}${name === '' ? '' : ` ${name}`}] ${text}\n`;
    default:
      return `[${record.type}] ${text}\n`;
  }
}
