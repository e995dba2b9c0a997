/** The way to a provider, over loopback: which addresses, which headers, and whether a call that failed may have been heard. */
import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { isAmbientError } from '../../../../../common/errors.ts';
import { listOf } from '../../../../../operator/record/notifications/addresses.ts';
import { headersToAgent, headersToProvider } from '../../../../../operator/sessions/models/headers.ts';
import { Upstream, UpstreamProblem } from '../../../../../operator/sessions/models/upstream.ts';
import { webReceiver } from '../../../../support/web-receiver.ts';
import type { WebReceiver } from '../../../../support/web-receiver.ts';

const SIGNAL = new AbortController().signal;
const LOOPBACK = { allowed: listOf(['127.0.0.0/8']), plainHttp: true };
const resolve = async () => [{ address: '127.0.0.1', family: 4 }];

describe('the way to a provider', () => {
  let provider: WebReceiver;
  const opened: Upstream[] = [];
  const upstream = (options: ConstructorParameters<typeof Upstream>[0]): Upstream => {
    const made = new Upstream(options);
    opened.push(made);
    return made;
  };
  before(async () => {
    provider = await webReceiver();
  });
  after(async () => {
    for (const each of opened) await each[Symbol.asyncDispose]();
    await provider[Symbol.asyncDispose]();
  });
  const at = (host: string, scheme = 'http') => new URL(`${scheme}://${host}:${provider.port}/v1/messages`);
  const send = (by: Upstream, url: URL) => by.send(url, { 'x-api-key': 'k' }, Buffer.from('{}'), SIGNAL);

  it('leads to a name whose addresses are allowed', async () => {
    provider.answer = (response) => response.writeHead(200).end('well');
    const { status, body } = await send(upstream({ rules: LOOPBACK, resolve }), at('models.example.com'));
    assert.deepEqual([status, await text(body)], [200, 'well']);
  });

  it('leads nowhere inside, by whatever name, nor in the clear', async () => {
    const before = provider.received.length;
    const closed = upstream({ rules: { allowed: listOf([]), plainHttp: true }, resolve });
    for (const host of ['127.0.0.1', 'models.example.com', '169.254.169.254', '[::1]'])
      await assert.rejects(
        send(closed, at(host)),
        (error) => isAmbientError(error, 'forbidden') && /--models-allow/.test(error.message),
      );
    const secure = upstream({ rules: { ...LOOPBACK, plainHttp: false }, resolve });
    await assert.rejects(send(secure, at('models.example.com')), (error) =>
      isAmbientError(error, 'forbidden'),
    );
    assert.equal(provider.received.length, before);
  });

  it('tells whether a call that failed may have been heard', async () => {
    const way = upstream({ rules: LOOPBACK, resolve });
    const isUnheard = (expected: boolean) => (error: unknown) =>
      error instanceof UpstreamProblem && error.wasSent !== expected;
    provider.answer = (response) => response.destroy();
    await assert.rejects(send(way, at('models.example.com')), isUnheard(false));
    await assert.rejects(
      send(way, at('models.example.com', 'https')),
      (error) => error instanceof UpstreamProblem,
    );
    await assert.rejects(send(way, new URL('http://127.0.0.1:1/')), isUnheard(true));
    const lost = upstream({
      rules: LOOPBACK,
      resolve: () => Promise.reject(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })),
    });
    await assert.rejects(send(lost, at('nowhere.example.com')), isUnheard(true));
  });

  it('lets through to providers what they know, with the key of the tenant', () => {
    const sent = {
      'anthropic-version': '2023-06-01',
      'x-stainless-lang': 'js',
      'x-api-key': 'token',
      authorization: 'Bearer token',
      'x-goog-api-key': 'token',
      cookie: 'a=b',
      'openai-project': 'p',
      'accept-encoding': 'gzip',
      connection: 'close',
      host: 'gateway',
    };
    const common = {
      'anthropic-version': '2023-06-01',
      'x-stainless-lang': 'js',
      'accept-encoding': 'identity',
      'content-type': 'application/json',
    };
    assert.deepEqual(headersToProvider(sent, 'anthropic', 'k'), { ...common, 'x-api-key': 'k' });
    assert.deepEqual(headersToProvider(sent, 'openai', 'k'), { ...common, authorization: 'Bearer k' });
    assert.deepEqual(headersToProvider(sent, 'gemini', 'k'), { ...common, 'x-goog-api-key': 'k' });
  });

  it('lets back to agents all but what belongs to the connection, or is secret', () => {
    assert.deepEqual(
      headersToAgent({
        'content-type': 'text/event-stream',
        'content-length': '3',
        'retry-after': '9',
        'request-id': 'r',
        'anthropic-ratelimit-tokens-remaining': '1',
        connection: 'close, X-Hop',
        'x-hop': '1',
        'transfer-encoding': 'chunked',
        'set-cookie': ['a=b'],
        authorization: 'Bearer k',
        'x-api-key': 'k',
        location: 'https://elsewhere.example.com',
        nothing: undefined,
      }),
      {
        'content-type': 'text/event-stream',
        'content-length': '3',
        'retry-after': '9',
        'request-id': 'r',
        'anthropic-ratelimit-tokens-remaining': '1',
      },
    );
  });
});
