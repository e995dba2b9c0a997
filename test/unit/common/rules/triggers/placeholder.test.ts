/** How placeholders are read, and what they come to. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { eventOf } from '../../../../../common/rules/triggers/event-of.ts';
import { holdsPlaceholder, partsOf, valueOf } from '../../../../../common/rules/triggers/placeholder.ts';
import { webhookPayload } from '../../../../support/webhook-payloads.ts';

const said = (template: string): string[] =>
  partsOf(template).map((part) => {
    if (part.kind === 'literal') return `'${part.text}'`;
    return part.kind === 'mistake' ? `! ${part.message}` : `<${part.placeholder.text}>`;
  });

describe('a placeholder', () => {
  const READ: [string, ...(string | RegExp)[]][] = [
    [''],
    ['plain', "'plain'"],
    ['{{event.title}}', '<event.title>'],
    ['a {{ event.title }} b', "'a '", '<event.title>', "' b'"],
    ['{{payload.commits[0].id}}', '<payload.commits[0].id>'],
    ['{{payload.commits.0.id}}', '<payload.commits.0.id>'],
    ['{{payload}}', '<payload>'],
    ['{{event.title}}{{event.text}}', '<event.title>', '<event.text>'],
    ['{{"{{"}}', "'{{'"],
    ['one } or { is text', "'one } or { is text'"],
    ['{ {event.title} }', "'{ {event.title} }'"],
    ['{{event.titel}}', /^! an event has no "titel"\. It has: .*title/],
    ['{{event}}', /^! an event has no ""/],
    ['{{event.title.length}}', /^! an event has no "title\.length"/],
    ['{{config.command}}', /^! there is no placeholder "config\.command"/],
    ['{{payload..a}}', /^! "payload\.\.a" is no path/],
    ['{{payload.a b}}', /is no path/],
    ['{{payload["a"]}}', /is no placeholder/],
    ['{{payload.constructor()}}', /is no path/],
    [`{{payload${'.a'.repeat(21)}}}`, /goes deeper/],
    ['{{event.title', /is no placeholder/],
    ['{{}}', /there is no placeholder ""/],
    ['{{ event.title }', /is no placeholder/],
  ];
  for (const [template, ...expected] of READ)
    it(`${JSON.stringify(template.slice(0, 40))} is read`, () => {
      const found = said(template);
      for (const [index, each] of expected.entries())
        if (each instanceof RegExp) assert.match(found[index] ?? '', each);
        else assert.equal(found[index], each);
      if (expected.every((each) => typeof each === 'string')) assert.equal(found.length, expected.length);
    });

  const delivery = webhookPayload('github-push');
  const of = (name: string): string | undefined => {
    const [part] = partsOf(`{{${name}}}`);
    assert.equal(part?.kind, 'placeholder');
    return valueOf(part.placeholder, { event: eventOf(delivery), payload: delivery.payload });
  };
  it('comes to what stands there, as text', () => {
    assert.equal(of('event.branch'), 'main');
    assert.equal(of('event.paths'), 'docs/prices.md, src/price.ts, src/price.test.ts, src/old-price.ts');
    assert.equal(of('payload.commits[1].modified[0]'), 'src/price.ts');
    assert.equal(of('payload.forced'), 'false');
    assert.equal(of('payload.repository.id'), '186853002');
    assert.equal(of('payload.base_ref'), undefined);
    assert.equal(of('payload.nothing.here'), undefined);
    assert.match(of('payload.pusher') ?? '', /"email": "ann@example.com"/);
  });
  it('reaches nothing that an object merely inherits', () => {
    for (const name of [
      'payload.constructor.name',
      'payload.__proto__',
      'payload.ref.length',
      'payload.toString',
    ])
      assert.equal(of(name), undefined, name);
  });

  it('is found in any text, without losing or inventing a character', () => {
    const piece = fc.oneof(
      fc.constantFrom('{{event.title}}', '{{payload.a[0]}}', '{{', '}}', '{', '}', '{{"', '"}}', '{{x}}'),
      fc.string({ maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const template = pieces.join('');
        const parts = partsOf(template);
        if (!template.includes('{{'))
          assert.deepEqual(said(template), template === '' ? [] : [`'${template}'`]);
        assert.equal(
          holdsPlaceholder(template),
          parts.some(({ kind }) => kind !== 'literal'),
        );
        for (const part of parts) if (part.kind === 'literal') assert.ok(template.includes(part.text));
      }),
      { numRuns: 5000 },
    );
  });

  it('is read in time proportional to the text', () => {
    const started = performance.now();
    for (const template of ['{{'.repeat(30_000), '{{"'.repeat(20_000), '{{event.'.repeat(10_000)])
      partsOf(template);
    assert.ok(performance.now() - started < 2000);
  });
});
