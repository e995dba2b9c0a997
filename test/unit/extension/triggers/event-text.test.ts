/** What triggered a session, as a person reads it. */
import assert from 'node:assert/strict';
import { eventText } from '../../../../extension/triggers/event-text.ts';
import { payloadPlace } from '../../../../extension/triggers/payload-line.ts';
import { aSession } from '../../../support/fixtures.ts';

/** Without its comments. */
const json = (text: string): unknown => JSON.parse(text.replace(/^\/\/.*\n/gm, ''));

describe('what triggered a session', () => {
  it('is told with what came from outside and the payload', () => {
    const trigger = {
      source: 'github' as const,
      event: 'pull_request',
      action: 'opened',
      name: 'review',
      delivery: 'd-1',
      outside: [{ field: 'spec.framework.config.prompt', from: ['event.title'], delimiter: 'untrusted-x' }],
      received: { key: 'k', digest: `sha256:${'0'.repeat(64)}`, sizeBytes: 2048, artifact: '.ambient/p' },
      payload: {
        pull_request: { number: 7, title: 'Round', html_url: 'https://github.example/acme/shop/pull/7' },
        repository: { full_name: 'acme/shop' },
        sender: { login: 'ann' },
      },
    };
    const text = eventText(aSession('s1').in('team-a').spec({ trigger }).build());
    assert.deepEqual(json(text), trigger);
    assert.deepEqual(text.split('\n').slice(0, 3), [
      '// What triggered session s1 in team-a.',
      '// github, pull_request, opened · caused by ann · acme/shop #7, Round',
      '// https://github.example/acme/shop/pull/7',
    ]);
    assert.match(text, /the whole, 2 KiB, is the artifact \.ambient\/p\./);
    const place = payloadPlace(text);
    assert.equal(place?.path, '.ambient/p');
    assert.equal(text.slice(place.from, place.to), '.ambient/p');
  });

  it('shows what people would not see', () => {
    const payload = { title: 'a\u202eb\u200bc\u{e0061}\u0000\u2028\u00ad\ufe01', heart: '\u2764\ufe0f' };
    const text = eventText(
      aSession('s1')
        .spec({ trigger: { source: 'slack', payload } })
        .build(),
    );
    assert.ok(text.includes(String.raw`a\u202eb\u200bc\udb40\udc61\u0000\u2028\u00ad\ufe01`), text);
    assert.ok(text.includes('"\u2764\ufe0f"'), 'a picture stays one');
    assert.deepEqual(json(text), { source: 'slack', payload });
  });

  it('is nothing where a person launched it', () => {
    const text = eventText(
      aSession('s1')
        .spec({ createdBy: { user: 'ann\n// x' } })
        .build(),
    );
    assert.deepEqual(text.split('\n'), [
      '// What triggered session s1 in default.',
      '// Nothing from outside: it was launched by ann // x.',
    ]);
  });
});
