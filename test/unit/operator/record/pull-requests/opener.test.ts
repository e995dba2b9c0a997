/** Pull requests as GitHub's API takes them, each once. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BlockList } from 'node:net';
import type { Session } from '../../../../../common/api/session.ts';
import { eventOf } from '../../../../../common/rules/triggers/event-of.ts';
import { matchTrigger } from '../../../../../common/rules/triggers/match.ts';
import { SecretProblem } from '../../../../../operator/record/notifications/secrets.ts';
import { PullRequests } from '../../../../../operator/record/pull-requests/opener.ts';
import type { Opening } from '../../../../../operator/record/pull-requests/opener.ts';
import { CollectedAudit } from '../../../../support/audit.ts';
import { aSession } from '../../../../support/fixtures.ts';
import { githubApi } from '../../../../support/github-api.ts';
import type { GithubApi } from '../../../../support/github-api.ts';
import { until } from '../../../../support/until.ts';

describe('opening pull requests', () => {
  let api: GithubApi;
  let server: Server;
  let audit: CollectedAudit;
  let secret: string | undefined;
  let now: number;
  const open = new BlockList();
  open.addSubnet('127.0.0.0', 8, 'ipv4');

  beforeEach(async () => {
    api = githubApi((_, branch) => ['main', 'ambient/fix'].includes(branch));
    server = createServer((request, response) => void api.handle(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    audit = new CollectedAudit();
    secret = api.token;
    now = 0;
  });
  afterEach(() => server.close());

  const opener = (allowed = open): PullRequests =>
    new PullRequests({
      read: async () => {
        if (secret === undefined) throw new SecretProblem('there is no Secret bot');
        return Buffer.from(`${secret}\n`);
      },
      rules: { allowed, plainHttp: true },
      audit,
      elapsed: () => now,
      now: () => 0,
      signal: new AbortController().signal,
    });

  const session = aSession('fix')
    .spec({ displayName: 'Fix\nit', result: { pullRequest: { draft: true } } })
    .build();
  const openingOf = async (
    requests: PullRequests,
    { base = 'main', of = session }: { base?: string; of?: Session } = {},
  ): Promise<Opening> => {
    const { port } = server.address() as AddressInfo;
    const wanted = {
      access: { url: `http://127.0.0.1:${port}/api/v3/`, credential: { secretName: 'bot', key: 'token' } },
      repository: { owner: 'team', name: 'app' },
      branch: 'ambient/fix',
      base,
    };
    let opening = requests.open(of, wanted);
    await until(() => (opening = requests.open(of, wanted)).state !== 'waiting', 'it is answered', 5000, 5);
    return opening;
  };

  it('says who made what, is on record first, and tells its page', async () => {
    assert.deepEqual(await openingOf(opener()), {
      state: 'opened',
      url: 'https://github.example.com/team/app/pull/1',
    });
    const [{ title, head, base, draft, body } = assert.fail()] = api.pulls;
    assert.deepEqual([title, head, base, draft], ['Fix it', 'ambient/fix', 'main', true]);
    assert.match(body, /session `fix` in namespace `default`/);
    assert.deepEqual(audit.lines, ['system:ambient-operator create pullrequests allowed']);
  });

  it('starts nothing that would open the next one when it is heard again', async () => {
    await openingOf(opener());
    const [pull = assert.fail()] = api.pulls;
    const headers = { 'x-github-event': 'pull_request' };
    const payload = { action: 'opened', pull_request: { ...pull, head: { ref: pull.head } } };
    const event = eventOf({ source: 'github', headers, payload });
    const { reasons } = matchTrigger({ source: 'github', session: { result: { pullRequest: {} } } }, event);
    assert.deepEqual(
      reasons.map(({ field }) => field),
      ['spec.session.result.pullRequest'],
    );
    // To look at what a session has made is another thing.
    assert.equal(matchTrigger({ source: 'github', session: {} }, event).matched, true);
  });

  it('finds the one that it opened before a crash', async () => {
    const first = await openingOf(opener());
    assert.deepEqual(await openingOf(opener()), first);
    assert.deepEqual(api.answers, [201, 422, 200]);
    assert.equal(api.pulls.length, 1);
  });

  it('is not titled by a stranger', async () => {
    const of = aSession('fix')
      .spec({
        displayName: 'Buy this',
        trigger: { source: 'github', outside: [{ field: 'spec.displayName', from: ['event.title'] }] },
        result: { pullRequest: {} },
      })
      .build();
    await openingOf(opener(), { of });
    assert.equal(api.pulls[0]?.title, 'Changes of session fix');
  });

  it('is tried again when the Secret is put right, and not when GitHub cannot do it', async () => {
    const requests = opener();
    secret = undefined;
    assert.deepEqual(await openingOf(requests), { state: 'failed', problem: 'there is no Secret bot' });
    secret = 'wrong';
    now += 20_000;
    assert.deepEqual(await openingOf(requests), {
      state: 'failed',
      problem: 'it answered 401: Bad credentials',
    });
    secret = api.token;
    now += 40_000;
    const refused = await openingOf(requests, { base: 'gone' });
    assert.equal(refused.state, 'refused');
    assert.match('problem' in refused ? refused.problem : '', /422: Validation Failed: field head or base/);
  });

  it('is sent to no address that the operator may not reach, and not without a record', async () => {
    const closed = await openingOf(opener(new BlockList()));
    assert.equal(closed.state, 'refused');
    audit.refuse = new Error('the audit trail is full');
    const unrecorded = await openingOf(opener());
    assert.equal(unrecorded.state, 'failed');
    assert.deepEqual(api.answers, []);
  });
});
