import assert from 'node:assert/strict';
import { cut, visible, withoutSequences } from '../../../../extension/logs/visible-text.ts';

describe('text of agents made visible', () => {
  it('removes colours, cursor moves, titles and links of terminals', () => {
    assert.equal(visible('\x1b[1;31mred\x1b[0m and \x1b[38;5;12mblue\x1b[m'), 'red and blue');
    assert.equal(visible('a\x1b[2Kb\x1b[10;20Hc\x1b[?25l'), 'abc');
    assert.equal(visible('\x1b]0;title\x07x\x1b]8;;https://e.example\x1b\\link\x1b]8;;\x1b\\'), 'xlink');
    assert.equal(visible('\x1b(Bplain'), 'plain');
  });

  it('never lets an unfinished sequence hide what follows', () => {
    assert.equal(visible('\x1b]0;rm -rf / # hidden'), '␛]0;rm -rf / # hidden');
    assert.equal(visible('\x1b['), '␛[');
  });

  it('shows controls, direction changes and smuggled characters as symbols', () => {
    assert.equal(visible('a\0b\x07c\x7f'), 'a␀b␇c␡');
    assert.equal(visible('safe\rhidden'), 'safe␍hidden');
    assert.equal(visible('\x9b31m'), '⟨U+009B⟩31m');
    assert.equal(visible('evil\u202egnp.exe'), 'evil⟨U+202E⟩gnp.exe');
    assert.equal(visible('a\u2028b\u2029c\u0085d'), 'a⟨U+2028⟩b⟨U+2029⟩c⟨U+0085⟩d');
    assert.equal(visible('x\u{e0041}'), 'x⟨U+E0041⟩');
  });

  it('leaves ordinary text of any language alone', () => {
    const text = '\tgrüße 你好 שלום 🙂 e\u0301 <script>alert(1)</script>';
    assert.equal(visible(text), text);
    assert.equal(withoutSequences(text), text);
  });

  it('takes time proportional to what it is given', () => {
    const hostile = '\x1b]'.repeat(200_000);
    const started = performance.now();
    visible(hostile);
    visible('\x1b['.repeat(200_000));
    visible('\x1b[' + ';'.repeat(1_000_000));
    assert.ok(performance.now() - started < 3000, 'no catastrophic matching');
  });

  it('cuts without halving a character', () => {
    assert.equal(cut('ab🙂', 3), 'ab');
    assert.equal(cut('ab🙂', 4), 'ab🙂');
    assert.equal(cut('abc', 2), 'ab');
  });
});
