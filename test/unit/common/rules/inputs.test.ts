/** How references are read: what they come to, and what is said of those that cannot be. */
import assert from 'node:assert/strict';
import type { SessionSpec } from '../../../../common/api/session.ts';
import { fetchedOf, inputsOf } from '../../../../common/rules/inputs.ts';
import { effectivePolicy } from '../../../../common/rules/policy/effective.ts';
import { evaluate } from '../../../../common/rules/policy/evaluate.ts';

type References = NonNullable<NonNullable<SessionSpec['artifacts']>['references']>;
const spec = (...references: References): SessionSpec => ({
  framework: { type: 'generic' },
  artifacts: { references },
});

describe('inputs of a session', () => {
  it('are read by kind, and named by their last part', () => {
    const { inputs, mistakes } = inputsOf(
      spec(
        { type: 's3', location: 's3://data/sets/words.txt', credentials: 'data' },
        { type: 's3', location: 's3://data/sets/', credentials: 'data' },
        { type: 's3', location: 's3://data', credentials: 'data' },
        { type: 'pvc', location: 'models/llama/7b' },
        { type: 'pvc', location: 'pvc://models', name: 'all' },
        { type: 'external', location: 'https://example.com/a.csv?x=1' },
        { type: 'external', location: 'https://example.com/größe' },
      ),
    );
    assert.deepEqual(mistakes, []);
    assert.deepEqual(inputs, [
      { name: 'words.txt', kind: 's3', bucket: 'data', key: 'sets/words.txt', credentials: 'data' },
      { name: 'sets', kind: 's3', bucket: 'data', key: 'sets/', credentials: 'data' },
      { name: 'data', kind: 's3', bucket: 'data', key: '', credentials: 'data' },
      { name: '7b', kind: 'pvc', claim: 'models', path: 'llama/7b' },
      { name: 'all', kind: 'pvc', claim: 'models', path: '' },
      { name: 'a.csv', kind: 'external', url: 'https://example.com/a.csv?x=1', digest: undefined },
      { name: 'input-7', kind: 'external', url: 'https://example.com/größe', digest: undefined },
    ]);
    assert.equal(fetchedOf(inputs).length, 5);
  });

  it('are refused with the field and what could stand there', () => {
    const whole = (...references: References): string[] =>
      evaluate(spec(...references), effectivePolicy({ inputs: { claims: ['shared-*'] } })).violations.map(
        ({ message }) => message,
      );
    assert.deepEqual(whole({ type: 'pvc', location: 'shared-models/a' }), []);
    for (const [references, expected] of [
      [
        [{ type: 's3', location: '/data', credentials: 'x' }],
        /references\[0\]\.location is "\/data".*s3:\/\/BUCKET\/KEY/,
      ],
      [[{ type: 's3', location: 's3://data/x' }], /references\[0\]\.credentials.*name of a Secret/],
      [[{ type: 'pvc', location: 'shared-models/../x' }], /\[0\]\.location.*CLAIM or CLAIM\/PATH/],
      [
        [{ type: 'pvc', location: 'database' }],
        /"database": spec\.inputs\.claims of the namespace's policy does not list it\. Allowed: shared-\*/,
      ],
      [[{ type: 'external', location: 'file:///etc/passwd' }], /an https:\/\/ URL without credentials/],
      [[{ type: 'external', location: 'https://u:p@example.com/x' }], /without credentials/],
      [[{ type: 'external', location: 'https://example.com/x', name: '..' }], /\[0\]\.name/],
      [
        [
          { type: 'external', location: 'https://example.com/x' },
          { type: 'external', location: 'https://example.org/x' },
        ],
        /\[1\]\.name is "x".*another name than the others/,
      ],
    ] as [References, RegExp][])
      assert.match(whole(...references).join(), expected);
    const closed = effectivePolicy({ tools: { restrictions: { network: true } } });
    assert.match(
      evaluate(spec({ type: 'external', location: 'https://example.com/x' }), closed).violations[0]
        ?.message ?? '',
      /restrictions\.network.*bringing it needs the network/,
    );
  });
});
