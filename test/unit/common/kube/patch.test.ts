import assert from 'node:assert/strict';
import fc from 'fast-check';
import { escapeJsonPointer, mergePatchOf, sameJson } from '../../../../common/kube/patch.ts';

/** RFC 7386 §2, as it stands there. */
function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else {
      Object.defineProperty(result, name, {
        value: applyMergePatch(Object.hasOwn(result, name) ? result[name] : undefined, value),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
  }
  return result;
}

const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.array(fc.string(), { maxLength: 3 }));
const { json } = fc.letrec<{ json: unknown; object: unknown }>((tie) => ({
  json: fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__', 'x/y'), fc.oneof(leaf, tie('object')), {
    noNullPrototype: true,
  }),
  object: fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.oneof({ maxDepth: 3 }, leaf, tie('object')), {
    noNullPrototype: true,
  }),
}));

describe('mergePatchOf', () => {
  it('makes a patch that turns one object into the other', () => {
    fc.assert(
      fc.property(json, json, (before, after) => {
        const patch = mergePatchOf(before as object, after as object);
        assert.ok(sameJson(applyMergePatch(before, patch ?? {}), after));
      }),
    );
  });

  it('is undefined exactly when nothing changed', () => {
    fc.assert(
      fc.property(json, json, (before, after) => {
        assert.equal(mergePatchOf(before as object, structuredClone(before) as object), undefined);
        assert.equal(mergePatchOf(before as object, after as object) === undefined, sameJson(before, after));
      }),
    );
  });

  it('names only what changed', () => {
    assert.deepEqual(
      mergePatchOf(
        { status: { phase: 'Pending', a: 1 }, b: [1] },
        { status: { phase: 'Running', a: 1 }, b: [1] },
      ),
      { status: { phase: 'Running' } },
    );
  });

  it('removes with null and replaces lists whole', () => {
    assert.deepEqual(mergePatchOf({ a: 1, l: [1, 2] }, { l: [1] }), { a: null, l: [1] });
  });

  it('takes a property that is undefined for absent', () => {
    assert.equal(mergePatchOf({ a: undefined }, {}), undefined);
    assert.equal(mergePatchOf({}, { a: undefined }), undefined);
    assert.deepEqual(mergePatchOf({ a: 1 }, { a: undefined }), { a: null });
  });
});

describe('escapeJsonPointer', () => {
  it('escapes tilde before slash', () => {
    assert.equal(escapeJsonPointer('ambient.ai/a~1'), 'ambient.ai~1a~01');
  });
});
