/** Text from outside, made harmless for each place that shows it. */
import assert from 'node:assert/strict';
import { expandPath } from '../../../../extension/ide/expand-path.ts';
import { markdownText, plain, plainMessage } from '../../../../extension/ide/plain-text.ts';

describe('text from outside', () => {
  it('is one line without control or direction characters, and not endless', () => {
    assert.equal(plain('a\r\nb\tc\u001b[31mred\u0007 \u202Eevil\u2069'), 'a b c [31mred evil');
    assert.equal(plain('x'.repeat(300), 10), 'xxxxxxxxx…');
    assert.equal(plain(''), '');
  });

  it('makes no command links in notifications', () => {
    assert.equal(
      plainMessage('see [this](command:workbench.action.quit)'),
      'see [this] (command:workbench.action.quit)',
    );
  });

  it('is neither markup nor link in Markdown', () => {
    assert.equal(
      markdownText('# *a* [b](c) `d` <e> &f; 1'),
      '\\# \\*a\\* \\[b\\]\\(c\\) \\`d\\` &lt;e&gt; &amp;f; 1',
    );
    assert.equal(markdownText('http://a www.b c@d'), 'http&#58;//a www&#46;b c&#64;d');
    assert.equal(markdownText('1. a'), '1&#46; a');
  });
});

describe('a path in a setting', () => {
  it('has ~ and ${env:NAME} filled in', () => {
    const env = { NAME: 'value' };
    assert.equal(expandPath('~/.kube/x', env, '/home/jo'), '/home/jo/.kube/x');
    assert.equal(expandPath('~', env, '/home/jo'), '/home/jo');
    assert.equal(expandPath(' /a/${env:NAME}/${env:NONE}b ', env, '/home/jo'), '/a/value/b');
    assert.equal(expandPath('/a/~b', env, '/home/jo'), '/a/~b');
    assert.equal(expandPath('', env, '/home/jo'), '');
  });
});
