import assert from 'node:assert/strict';
import { parseQuantity, smallerQuantity } from '../../../../common/rules/quantity.ts';
import { count, formatBytes, formatDuration, formatList, oneLine } from '../../../../common/rules/wording.ts';

describe('quantities and wording', () => {
  const quantities: [string, number | undefined][] = [
    ['500m', 0.5],
    ['2', 2],
    ['1.5Gi', 1.5 * 1024 ** 3],
    ['10k', 10_000],
    ['3Ti', 3 * 1024 ** 4],
    ['', undefined],
    ['-1', undefined],
    ['1e3', undefined],
    ['1 Gi', undefined],
  ];
  for (const [text, value] of quantities)
    it(`reads ${JSON.stringify(text)} as ${value}`, () => assert.equal(parseQuantity(text), value));

  it('picks the smaller quantity across units', () => {
    assert.equal(smallerQuantity('1000Mi', '1Gi'), '1000Mi');
    assert.equal(smallerQuantity('2', '500m'), '500m');
  });

  const durations: [number, string][] = [
    [-5, '0 ms'],
    [800, '800 ms'],
    [12_400, '12 s'],
    [59_900, '1 min'],
    [200_000, '3 min 20 s'],
    [7_500_000, '2 h 5 min'],
  ];
  for (const [milliseconds, text] of durations)
    it(`writes ${milliseconds} ms as ${text}`, () => assert.equal(formatDuration(milliseconds), text));

  const sizes: [number, string][] = [
    [0, '0 bytes'],
    [1, '1 byte'],
    [1536, '1.5 KiB'],
    [12 * 1024, '12 KiB'],
    [5 * 1024 ** 4, '5 TiB'],
  ];
  for (const [bytes, text] of sizes)
    it(`writes ${bytes} bytes as ${text}`, () => assert.equal(formatBytes(bytes), text));

  it('cuts lists, counts, and flattens text from outside', () => {
    assert.equal(formatList(['a', 'b', 'c'], 2), 'a, b and 1 more');
    assert.equal(count(1, 'artifact'), '1 artifact');
    assert.equal(count(0, 'artifact'), '0 artifacts');
    assert.equal(oneLine('a\r\n\u001b[31mb\tc  d'), 'a [31mb c d');
  });
});
