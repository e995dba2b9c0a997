/** Log records as plain text. */
import assert from 'node:assert/strict';
import type { LogRecord } from '../../../../common/api/log.ts';
import { renderText } from '../../../../operator/sessions/log-text.ts';

const render = (more: Partial<LogRecord>): string =>
  renderText({ seq: 1, time: '2030-01-01T00:00:00Z', type: 'output', text: '', ...more });

describe('renderText', () => {
  it('gives output as it was, and joins a line that came in parts', () => {
    assert.equal(
      render({ text: 'hello' }) + render({ text: 'be', partial: true }) + render({ text: 'gin' }),
      'hello\nbegin\n',
    );
  });

  it('marks what is not output', () => {
    assert.equal(render({ type: 'status', text: 'started' }), '[status] started\n');
    assert.equal(render({ type: 'tool-call', name: 'Bash', text: 'ls' }), '[tool-call Bash] ls\n');
    assert.equal(render({ type: 'assistant', text: 'I see.' }), 'I see.\n');
  });

  it('drops whatever would move a cursor, set a title or ring a bell', () => {
    const text =
      '\x1b[31mred\x1b[0m \x1b]0;title\x07\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\ \x07\b\x9b2Jtab\there\r';
    assert.equal(render({ text }), 'red link 2Jtab\there\n');
  });
});
