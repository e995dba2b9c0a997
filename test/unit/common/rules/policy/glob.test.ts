import assert from 'node:assert/strict';
import fc from 'fast-check';
import { coversGlob, matchesGlob } from '../../../../../common/rules/policy/glob.ts';

const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 });
const name = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 });

describe('globs of names', () => {
  it('match as a regular expression would', () => {
    fc.assert(
      fc.property(pattern, name, (glob, text) => {
        assert.equal(matchesGlob(glob, text), new RegExp(`^${glob.replaceAll('*', '.*')}$`).test(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('take every other character for itself', () => {
    assert.equal(matchesGlob('gpt-5.*', 'gpt-5x1'), false);
    assert.equal(matchesGlob('a?c', 'abc'), false);
    assert.equal(matchesGlob('Bash', 'bash'), false);
  });

  it('answer at once whatever a tenant writes', () => {
    const started = performance.now();
    matchesGlob(`${'a*'.repeat(100)}b`, 'a'.repeat(10_000));
    assert.ok(performance.now() - started < 1000);
  });

  it('cover another one only when they match all that it does', () => {
    fc.assert(
      fc.property(pattern, pattern, name, (outer, inner, text) => {
        if (coversGlob(outer, inner) && matchesGlob(inner, text)) assert.ok(matchesGlob(outer, text));
      }),
      { numRuns: 5000 },
    );
    assert.ok(coversGlob('claude-*', 'claude-sonnet-*'));
    assert.ok(!coversGlob('claude-sonnet-*', 'claude-*'));
    assert.ok(coversGlob('*', '*'));
  });
});
