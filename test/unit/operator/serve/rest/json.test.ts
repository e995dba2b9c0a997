import assert from 'node:assert/strict';
import fc from 'fast-check';
import { checkJson, DEPTH_MAX, parseJson } from '../../../../../operator/serve/rest/json.ts';

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

  it('is not nested without end', () => {
    const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;
    checkJson(nested(DEPTH_MAX));
    assert.throws(() => checkJson(nested(DEPTH_MAX + 1)), /nested deeper/);
  });
});
