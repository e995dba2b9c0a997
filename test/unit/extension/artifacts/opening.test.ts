/** Which artifact is opened how. */
import assert from 'node:assert/strict';
import { openingOf } from '../../../../extension/artifacts/opening.ts';

describe('an artifact is opened', () => {
  for (const [path, contentType, expected] of [
    ['report.md', 'text/markdown; charset=utf-8', 'markdown'],
    ['README.MD', 'application/octet-stream', 'markdown'],
    ['notes', 'text/markdown', 'markdown'],
    ['chart.svg', 'image/svg+xml', 'picture'],
    ['a/chart', 'image/svg+xml', 'picture'],
    ['dot.png', 'image/png', 'image'],
    ['changes.patch', 'text/x-patch; charset=utf-8', 'patch'],
    ['x.diff', 'text/plain', 'patch'],
    ['summary.json', 'application/json', 'text'],
    ['sbom', 'application/vnd.cyclonedx+json', 'text'],
    ['log.ndjson', 'application/x-ndjson', 'text'],
    ['page.html', 'text/html; charset=utf-8', 'text'],
    ['Makefile', 'text/plain; charset=utf-8', 'text'],
    ['movie.mp4', 'application/octet-stream', 'media'],
    ['paper.pdf', 'application/pdf', 'binary'],
    ['core', 'application/octet-stream', 'binary'],
  ] as const)
    it(`${path} (${contentType}) as ${expected}`, () =>
      assert.equal(openingOf({ path, contentType, size: 1 }), expected));

  it('as text when it is empty', () =>
    assert.equal(openingOf({ path: 'x', contentType: 'application/octet-stream', size: 0 }), 'text'));
});
