/** Addresses, and test events as a receiver sees them. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { IncomingHttpHeaders, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WEBHOOK_SOURCES } from '../../../../common/api/session.ts';
import { eventOf } from '../../../../common/rules/triggers/event-of.ts';
import { baseProblem, isPrivate, webhookAddress } from '../../../../extension/webhooks/address.ts';
import { SAMPLE_EVENTS } from '../../../../extension/webhooks/sample-events.ts';
import { noAnswerText } from '../../../../extension/webhooks/no-answer.ts';
import { answerText } from '../../../../extension/webhooks/test-answer.ts';
import { send, testRequest } from '../../../../extension/webhooks/test-event.ts';
import type { TestEvent } from '../../../../extension/webhooks/test-event.ts';
import { claimOf, isSigned, signing } from '../../../../operator/sessions/webhooks/signatures.ts';
import { TestCertificates } from '../../../support/certificates.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');

describe('the address of a webhook', () => {
  it('is below the base, however that is written', () => {
    for (const base of [
      'https://a.example',
      'https://a.example/',
      'https://a.example/api/v1',
      'https://a.example/api/v1/',
    ])
      assert.equal(webhookAddress(base, 'github'), 'https://a.example/api/v1/webhooks/github', base);
    assert.equal(
      webhookAddress('https://a.example:8443/ambient/', 'slack', 'k 1'),
      'https://a.example:8443/ambient/api/v1/webhooks/slack?key=k+1',
    );
  });
  it('is refused where it could give something away', () => {
    for (const [base, problem] of [
      ['https://a.example', undefined],
      ['a.example', /no address/],
      ['ftp://a.example', /must begin/],
      ['https://ann:pass@a.example', /credentials/],
      ['https://a.example/?token=x', /behind \?/],
    ] as const)
      if (problem === undefined) assert.equal(baseProblem(base), undefined);
      else assert.match(baseProblem(base) ?? '', problem);
    assert.ok(
      isPrivate('https://a.example') && isPrivate('http://localhost:8080') && isPrivate('http://127.0.0.1:1'),
    );
    assert.ok(!isPrivate('http://10.0.0.1') && !isPrivate('http://localhost.evil.example'));
  });
});

describe('a test event', () => {
  const event = (more: Partial<TestEvent>): TestEvent => {
    const source = more.source ?? 'github';
    return {
      base: 'https://a.example',
      source,
      sample: SAMPLE_EVENTS[source][0] ?? assert.fail(),
      credential: { kind: 'key', key: 'k' },
      isDryRun: true,
      deliveryId: '0f0f0f0f-0000-4000-8000-000000000000',
      now: NOW,
      ...more,
    };
  };
  const lower = (headers: Record<string, string>): Record<string, string> =>
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

  it('is what the rules of its source know', () => {
    for (const source of WEBHOOK_SOURCES)
      for (const sample of SAMPLE_EVENTS[source]) {
        const { headers, body } = testRequest(event({ source, sample }));
        const found = eventOf({ source, headers: lower(headers), payload: JSON.parse(body) as unknown });
        assert.notEqual(found.event, 'unknown', sample.title);
        assert.equal(found.isPing, false);
        assert.equal(found.isBot, false);
        assert.ok(found.title !== undefined || found.text !== undefined, sample.title);
      }
  });

  it('goes to the dry run unless it shall start something', () => {
    assert.equal(testRequest(event({})).url, 'https://a.example/api/v1/webhooks/github/validate');
    assert.equal(testRequest(event({ isDryRun: false })).url, 'https://a.example/api/v1/webhooks/github');
    const signed = event({ credential: { kind: 'secret', secret: 's', keyId: 'id1' } });
    assert.equal(testRequest(signed).url, 'https://a.example/api/v1/webhooks/github/validate?key=id1');
  });

  it('carries the key, or a signature that the door takes, and never the secret', () => {
    for (const source of WEBHOOK_SOURCES) {
      const plain = testRequest(event({ source }));
      assert.equal(plain.headers['X-API-Key'], 'k');
      const secret = 'the-secret-of-a-webhook';
      const credential = { kind: 'secret' as const, secret, keyId: 'id1' };
      const { headers, body, url } = testRequest(event({ source, credential }));
      const claim = claimOf(source, lower(headers), NOW);
      assert.ok(isSigned(signing(Buffer.from(secret), claim).update(body), claim), source);
      assert.ok(![url, body, JSON.stringify(headers)].some((text) => text.includes(secret)));
      assert.equal(headers['X-API-Key'], undefined);
    }
  });

  describe('that is sent', () => {
    let server: Server;
    let base: string;
    let seen: { url: string | undefined; headers: IncomingHttpHeaders; body: string } | undefined;
    let answer: { status: number; body: string; headers?: Record<string, string> };

    before(async () => {
      server = createServer((request, response) => {
        let body = '';
        request.on('data', (chunk: Buffer) => (body += chunk.toString()));
        request.on('end', () => {
          seen = { url: request.url, headers: request.headers, body };
          response.writeHead(answer.status, answer.headers);
          response.end(answer.body);
        });
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });
    after(() => {
      server.close();
      server.closeAllConnections();
    });

    it('arrives as it was made, and its answer is told', async () => {
      answer = { status: 202, body: '{"sessionId":"s-1","namespace":"team-a","status":"accepted"}' };
      const request = testRequest(event({ base, isDryRun: false }));
      const found = await send(request, AbortSignal.timeout(5000));
      assert.equal(seen?.url, '/api/v1/webhooks/github');
      assert.equal(seen.body, request.body);
      assert.equal(seen.headers['x-github-event'], 'pull_request');
      assert.equal(answerText(found, false), 'The test event was accepted: session s-1 in team-a.');
    });

    it('is told to be refused, or heard', async () => {
      const refused = {
        error: 'invalid_api_key',
        message: 'API key is invalid or expired',
        details: { remedy: 'Ask for a new key.' },
      };
      for (const [status, body, isDryRun, said] of [
        [
          401,
          JSON.stringify(refused),
          true,
          'refused (401): API key is invalid or expired. Ask for a new key.',
        ],
        [200, '{"valid":true,"framework":"generic"}', true, 'would start a session of framework generic.'],
        [
          200,
          '{"valid":true,"framework":"generic","sessions":[{"trigger":"a"},{"trigger":"b"}],"refused":[{"trigger":"c"}]}',
          true,
          'would start 2 sessions, the first of framework generic. Policy forbids what this trigger would start: c.',
        ],
        [
          202,
          '{"sessionId":"s-1","namespace":"team-a","refused":[{"trigger":"c"},{"trigger":"d"}]}',
          false,
          'session s-1 in team-a. Policy forbids what these triggers would start: c, d.',
        ],
        [
          200,
          '{"valid":true,"framework":null,"warnings":["review: the action is opened"]}',
          true,
          'heard, and would start nothing: review: the action is opened.',
        ],
        [200, '{"status":"ignored","reasons":["none."]}', false, 'heard, and starts nothing: none.'],
        // Of whoever else stands at that address.
        [502, '<html>', false, /answered with 502, but not by the operator's REST API/],
        [200, '{"ok":true}', false, /answered with 200, but not by the operator's REST API/],
      ] as const) {
        answer = { status, body };
        const found = await send(testRequest(event({ base, isDryRun })), AbortSignal.timeout(5000));
        const text = answerText(found, isDryRun);
        if (typeof said === 'string') assert.ok(text.endsWith(said), text);
        else assert.match(text, said);
      }
    });

    it('hears no more of an answer than it can show', async () => {
      answer = { status: 200, body: 'x'.repeat(3_000_000) };
      const { body } = await send(testRequest(event({ base })), AbortSignal.timeout(5000));
      assert.equal((body as string).length, 256 * 1024);
    });

    const why = async (at: string, waitMs = 5000): Promise<string> =>
      await send(testRequest(event({ base: at })), AbortSignal.timeout(waitMs)).then(
        () => assert.fail('answered'),
        (error: unknown) => noAnswerText(at, error, waitMs),
      );

    it('takes its key nowhere else, and says so', async () => {
      answer = { status: 307, body: '', headers: { location: 'http://127.0.0.1:1/elsewhere' } };
      assert.match(await why(base), /redirects to another address.*Set the address to where/);
    });

    it('without an answer says what to do', async () => {
      const silent = createServer(() => undefined);
      const { current } = await TestCertificates.make();
      const untrusted = createTlsServer(current, () => undefined);
      const portOf = async (each: Server): Promise<number> => {
        await new Promise<void>((resolve) => each.listen(0, '127.0.0.1', resolve));
        return (each.address() as AddressInfo).port;
      };
      const [silentPort, untrustedPort] = [await portOf(silent), await portOf(untrusted)];
      try {
        assert.match(
          await why(`http://127.0.0.1:${silentPort}`, 100),
          /did not answer within .*Check the address/,
        );
        assert.match(
          await why(`https://127.0.0.1:${untrustedPort}`),
          /^No answer: no trusted connection to 127\.0\.0\.1:\d+: .*ca\.crt in the Secret ambient-operator-tls/,
        );
        assert.match(await why(`https://127.0.0.1:${silentPort}`), /does not speak TLS\. Check the port/);
      } finally {
        for (const each of [silent, untrusted]) {
          each.closeAllConnections();
          each.close();
        }
      }
      assert.match(
        await why(`http://127.0.0.1:${silentPort}`),
        /^No answer: 127\.0\.0\.1:\d+ cannot be reached: .*ECONNREFUSED.*that it can be reached from here/,
      );
      assert.match(
        await why('http://ambient.invalid'),
        /ambient\.invalid cannot be reached: .*Check the address/,
      );
    });
  });
});
