/** Addresses of artifacts: there and back, whatever contexts and files are called. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { artifactPlace, artifactUri } from '../../../../extension/artifacts/artifact-uri.ts';

const PATHS = [
  '',
  'report.md',
  'a b/c#d?e%20f.txt',
  'ä/日本/😀.md',
  'back\\slash',
  'a~b@c:d',
  'line\nfeed',
  '%2e%2e/x',
];
const CONTEXTS = [
  'kind',
  '',
  '.',
  '..',
  'arn:aws:eks:eu-1:123:cluster/Prod',
  'Ünïcode Ctx',
  'a~2fb',
  'x@y',
  '😀',
];

describe('the address of an artifact', () => {
  it('comes back as it went, for odd contexts and paths', () => {
    for (const cluster of CONTEXTS)
      for (const path of PATHS)
        for (const uid of [undefined, '6a1f7c1e-0000-4000-8000-123456789abc']) {
          const ref = { cluster, namespace: 'team-a', name: 'run.1', ...(uid === undefined ? {} : { uid }) };
          assert.deepEqual(artifactPlace(artifactUri(ref, path)), { ref, path });
        }
  });

  it('comes back for any context and any artifact path that the live API allows', () => {
    const segment = fc.string({ unit: 'grapheme', minLength: 1 }).filter((s) => !/^\.{1,2}$|\//.test(s));
    const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'));
    const ref = fc.record(
      {
        cluster: fc.string({ unit: 'grapheme' }),
        namespace: fc.constant('demo'),
        name: fc.constant('s1'),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(ref, path, (r, p) =>
        assert.deepEqual(artifactPlace(artifactUri(r, p)), { ref: r, path: p }),
      ),
    );
  });

  it('ends in the path of the artifact, so that its links and its language are right', () => {
    const uri = artifactUri({ cluster: 'a/b', namespace: 'demo', name: 's1', uid: 'u' }, 'docs/report.md');
    assert.deepEqual(uri, { scheme: 'ambient', path: '/a~2fb/demo/s1@u/docs/report.md' });
  });

  it('has no percent sign or slash of the context in it', () => {
    const { path } = artifactUri({ cluster: '%2f/../', namespace: 'demo', name: 's1' });
    assert.equal(path, '/~252f~2f..~2f/demo/s1');
  });

  it('is told from other addresses', () => {
    for (const path of [
      '',
      '/',
      '/c',
      '/c/ns',
      '/c//s',
      '/c/ns/s@',
      '/c/ns/s@u@v',
      '/c~zz/ns/s',
      '/c d/ns/s',
      'c/ns/s',
    ])
      assert.equal(artifactPlace({ scheme: 'ambient', path }), undefined, path);
    assert.equal(artifactPlace({ scheme: 'file', path: '/c/ns/s/x' }), undefined);
  });
});
