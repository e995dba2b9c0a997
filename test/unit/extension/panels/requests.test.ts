/** What a page may ask of the extension, and the document that holds it to that. */
import assert from 'node:assert/strict';
import { SESSION_PAGE_REQUESTS } from '../../../../common/api/panels.ts';
import type { Handlers, SessionPageRequests } from '../../../../common/api/panels.ts';
import { pageHtml } from '../../../../extension/panels/page-html.ts';
import { dispatch } from '../../../../extension/panels/requests.ts';

const recording = (calls: unknown[]): Handlers<SessionPageRequests> => {
  const note =
    (type: string) =>
    (payload: unknown): void =>
      void calls.push([type, payload]);
  return {
    ready: note('ready'),
    retry: note('retry'),
    stop: note('stop'),
    delete: note('delete'),
    approve: note('approve'),
    reject: note('reject'),
    message: note('message'),
    interrupt: note('interrupt'),
    resume: note('resume'),
    openResult: note('openResult'),
    raiseBudget: note('raiseBudget'),
    openAudit: note('openAudit'),
    openPolicy: note('openPolicy'),
    openTrigger: note('openTrigger'),
    openLog: note('openLog'),
    openYaml: note('openYaml'),
    copyName: note('copyName'),
    openArtifact: note('openArtifact'),
    saveArtifact: note('saveArtifact'),
    openChange: note('openChange'),
    earlier: note('earlier'),
    act: note('act'),
  };
};

describe('requests of the session page', () => {
  it('reach the handler of their type', async () => {
    const calls: unknown[] = [];
    await dispatch(SESSION_PAGE_REQUESTS, recording(calls), {
      type: 'openArtifact',
      payload: { path: 'a/b' },
    });
    await dispatch(SESSION_PAGE_REQUESTS, recording(calls), { type: 'ready', payload: {} });
    assert.deepEqual(calls, [
      ['openArtifact', { path: 'a/b' }],
      ['ready', {}],
    ]);
  });

  const refused: [string, unknown][] = [
    ['nothing', undefined],
    ['text', 'stop'],
    ['no type', { payload: {} }],
    ['an unknown type', { type: 'executeCommand', payload: { command: 'workbench.action.quit' } }],
    ['a name of every object', { type: 'constructor', payload: {} }],
    ['a prototype', { type: '__proto__', payload: {} }],
    ['a missing payload', { type: 'stop' }],
    ['a field too many', { type: 'stop', payload: { command: 'x' } }],
    ['an empty path', { type: 'openArtifact', payload: { path: '' } }],
    ['a path that is no text', { type: 'openArtifact', payload: { path: ['a'] } }],
    ['a path beyond measure', { type: 'openArtifact', payload: { path: 'x'.repeat(4097) } }],
  ];
  for (const [name, message] of refused)
    it(`are refused when they are ${name}`, async () => {
      const calls: unknown[] = [];
      await assert.rejects(dispatch(SESSION_PAGE_REQUESTS, recording(calls), message), TypeError);
      assert.deepEqual(calls, []);
    });

  it('hand back what a handler throws', async () => {
    const failing = { ...recording([]), stop: () => Promise.reject(new Error('away')) };
    await assert.rejects(dispatch(SESSION_PAGE_REQUESTS, failing, { type: 'stop', payload: {} }), /away/);
  });
});

describe('the document of a page', () => {
  const html = pageHtml({
    title: 'a "title" <b>',
    cspSource: 'https://*.vscode-cdn.net',
    scriptUri: 'https://x/session.js?a=1&b=2',
    styleUri: 'https://x/session.css',
    nonce: 'abc123',
  });

  it('allows nothing but its own script and style', () => {
    const policy = /Content-Security-Policy" content="([^"]+)"/.exec(html)?.[1];
    assert.equal(
      policy,
      "default-src 'none'; style-src https://*.vscode-cdn.net 'nonce-abc123'; script-src 'nonce-abc123'; base-uri 'none'; form-action 'none'",
    );
  });

  it('holds no script of its own and nothing unescaped', () => {
    assert.match(html, /<title>a &quot;title&quot; &lt;b&gt;<\/title>/);
    assert.match(html, /src="https:\/\/x\/session\.js\?a=1&amp;b=2"><\/script>/);
    assert.equal(html.match(/<script/g)?.length, 1);
    assert.doesNotMatch(html, / on\w+=/);
  });
});
