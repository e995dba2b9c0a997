import assert from 'node:assert/strict';
import fc from 'fast-check';
import { checkJson, DEPTH_MAX, parseBody, parseJson } from '../../../../../operator/serve/rest/json.ts';

describe('JSON that means one thing', () => {
  it('is whatever JSON.stringify makes of something flat enough', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), fc.constantFrom(undefined, 2), (value, space) => {
        const text = JSON.stringify(value, undefined, space);
        fc.pre(!text.includes('__proto__'));
        assert.deepEqual(parseJson(text), JSON.parse(text));
      }),
    );
  });

  it('has no field twice, wherever and however it is written', () => {
    for (const text of [
      '{"a":1,"a":1}',
      '{"a":1,"\\u0061":2}',
      '[{"x":{"b":[],"c":{},"b":0}}]',
      '{"\\"":1,"\\"":2}',
      '{"":1,"":2}',
    ])
      assert.throws(() => checkJson(text), /stands there twice/, text);
    for (const text of [
      '{"a":{"a":{"a":["a","a",{"a":1}]}}}',
      '["a","a"]',
      '{"a":"b","b":"a"}',
      '{"a":"{\\"a\\":1,"}',
    ])
      checkJson(text);
  });

  it('names no field __proto__', () => {
    assert.throws(() => checkJson('[{"a":{"__proto__":{"polluted":true}}}]'), /__proto__/);
    checkJson('["__proto__"]');
  });

  it('has no text and no number that would be another one where it arrives', () => {
    for (const text of ['"\\ud800"', '[{"a":"x\\udc00\\ud800"}]', '{"\\udfff":1}'])
      assert.throws(() => parseJson(text), /surrogate/, text);
    for (const text of ['1e400', '{"a":[-1e999]}']) assert.throws(() => parseJson(text), /too large/, text);
    assert.deepEqual(parseJson('["\\ud83d\\ude00",1e308]'), ['😀', 1e308]);
  });

  it('is plain UTF-8, and says so if anything', () => {
    const type = 'application/json';
    const body = Buffer.from('{"a":"é"}');
    for (const headers of [
      { 'content-type': type },
      { 'content-type': `${type}; charset=UTF-8`, 'content-encoding': 'identity' },
      { 'content-type': `${type};charset="utf-8"` },
    ])
      assert.deepEqual(parseBody(body, headers), { a: 'é' });
    for (const headers of [
      { 'content-type': `${type}; charset=latin1` },
      { 'content-type': type, 'content-encoding': 'gzip' },
    ])
      assert.throws(() => parseBody(body, headers), { code: 'unsupported_media_type' });
    assert.throws(() => parseBody(Buffer.from('{"a":"é"}', 'latin1'), { 'content-type': type }), /UTF-8/);
  });

  it('is not nested without end', () => {
    const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
    checkJson(nested(DEPTH_MAX));
    assert.throws(() => checkJson(nested(DEPTH_MAX + 1)), /nested deeper/);
  });
});
