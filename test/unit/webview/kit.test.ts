/** Parts of pages that need no page. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatAgo, formatDuration } from '../../../webview/kit/time.ts';
import { cut, piecesOf, visible } from '../../../webview/kit/visible-text.ts';

describe('text of agents made visible', () => {
  const cases: [string, string, string][] = [
    ['ordinary text stays', 'a\tb\nc 😀 é 日本', 'a\tb\nc 😀 é 日本'],
    ['colours go', '\x1b[1;31mred\x1b[0m', 'red'],
    ['links of terminals go, their text stays', '\x1b]8;;https://x\x07text\x1b]8;;\x07', 'text'],
    ['an unfinished sequence swallows nothing', '\x1b]0;title goes on', '⟨ESC⟩]0;title goes on'],
    ['direction changes are shown', 'a\u202eb\u2069', 'a⟨RLO⟩b⟨PDI⟩'],
    ['binary is shown as names, run together', 'PK\x03\x04\x00', 'PK⟨U+0003 U+0004 NUL⟩'],
    ['invisible spaces and tag characters are shown', 'a\u200b\u{e0041}', 'a⟨ZWSP U+E0041⟩'],
    ['half a pair is shown', 'a\ud83db', 'a⟨U+D83D⟩b'],
  ];
  for (const [name, text, expected] of cases) it(name, () => assert.equal(visible(text), expected));

  it('loses nothing but terminal sequences', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        fc.pre(!/[\x00-\x08\x0b-\x1f\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/u.test(text));
        assert.equal(visible(text), text);
      }),
    );
  });

  it('makes few pieces of much binary', () => {
    assert.ok(piecesOf('\0'.repeat(100_000)).length < 10_000);
  });

  it('is quick on megabytes that look like unfinished sequences', () => {
    const started = performance.now();
    piecesOf('\x1b]'.repeat(200_000));
    piecesOf(`\x1b[${'0;'.repeat(500_000)}`);
    assert.ok(performance.now() - started < 2000);
  });

  it('never cuts a character in half', () => {
    assert.equal(cut('a😀b', 2), 'a');
    assert.equal(cut('a😀b', 3), 'a😀');
  });
});

describe('times in pages', () => {
  it('name durations', () => {
    assert.deepEqual([-5, 0, 59_999, 60_000, 200_000, 7_500_000, 273_600_000].map(formatDuration), [
      '0 s',
      '0 s',
      '59 s',
      '1 min',
      '3 min 20 s',
      '2 h 5 min',
      '3 d 4 h',
    ]);
  });
  it('name how long ago something was', () => {
    assert.deepEqual([-1, 59_000, 300_000, 7_200_000, 200_000_000].map(formatAgo), [
      'just now',
      'just now',
      '5 min ago',
      '2 h ago',
      '2 d ago',
    ]);
  });
});
