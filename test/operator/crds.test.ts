/** The contract's rules hold at the API server itself, against an administrator with every right. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { HISTORY_KEEP, HISTORY_MAX } from '../../common/api/session.ts';
import type { HistoryEntry, Session, SessionStatus } from '../../common/api/session.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import type { CustomResourceDefinition } from '../../common/kube/core-types.ts';
import { isInvalid, isNotFound } from '../../common/kube/errors.ts';
import {
  customResourceDefinitions,
  frameworks,
  namespacePolicies,
  sessions,
  sessionTriggers,
} from '../../common/kube/resource.ts';
import type { Resource } from '../../common/kube/resource.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { until } from '../support/until.ts';

describe('the CRDs', () => {
  let cluster: TestCluster;
  let client: KubeClient;
  let namespace: string;

  before(async function () {
    this.timeout(600_000);
    cluster = await testCluster(this);
    client = cluster.client;
    namespace = await cluster.namespace('crds');
  });

  const session = (spec: object = {}): Session => ({
    apiVersion: 'ambient.ai/v1alpha1',
    kind: 'Session',
    metadata: { name: randomUUID(), namespace },
    spec: { framework: { type: 'generic', config: { command: 'true' } }, ...spec },
  });
  const create = (spec: object = {}): Promise<Session> => client.create(sessions, session(spec));
  const entry = (seq: number, data?: Record<string, unknown>): HistoryEntry => ({
    seq,
    timestamp: '2026-01-01T00:00:00Z',
    event: 'Tested',
    actor: 'tester',
    ...(data ? { data } : {}),
  });
  const entries = (from: number, to: number): HistoryEntry[] =>
    Array.from({ length: to - from + 1 }, (_, i) => entry(from + i));
  const setStatus = (at: Session, status: object): Promise<Session> =>
    client.mergePatch(sessions, { namespace, name: at.metadata.name, subresource: 'status' }, { status });
  const withStatus = async (status: SessionStatus): Promise<Session> => {
    const created = await create();
    const { phase, ...rest } = status;
    await setStatus(created, { phase: 'Pending', ...rest });
    if (phase === 'Running' || phase === 'Completed') await setStatus(created, { phase: 'Running' });
    if (phase === 'Completed' || phase === 'Failed') await setStatus(created, { phase });
    return created;
  };
  const refused = (work: Promise<unknown>, says: RegExp): Promise<void> =>
    assert.rejects(work, (error: unknown) => {
      assert.ok(isInvalid(error), `expected a refusal as Invalid, got ${String(error)}`);
      assert.match(String(error), says);
      return true;
    });

  describe('Session', () => {
    it('fills in defaults', async () => {
      const created = await create({ source: {}, limits: {} });
      assert.equal(created.spec.trigger?.source, 'manual');
      assert.equal(created.spec.source?.type, 'none');
      assert.deepEqual(created.spec.limits, { timeoutSeconds: 3600, gracePeriodSeconds: 30 });
    });
    it('keeps free-form configuration and payload as they came', async () => {
      const config = { command: 'true', nested: { list: [1, { deep: null }], on: true } };
      const created = await create({
        framework: { type: 'generic', config },
        trigger: { source: 'github', event: 'push', payload: { a: { b: [1] } } },
      });
      assert.deepEqual(created.spec.framework.config, {
        command: 'true',
        nested: { list: [1, { deep: null }], on: true },
      });
      assert.deepEqual(created.spec.trigger?.payload, { a: { b: [1] } });
    });

    const MALFORMED: [string, object, RegExp][] = [
      ['a framework type that is no name', { framework: { type: 'Not A Name' } }, /spec\.framework\.type/],
      ['no framework', { framework: undefined }, /spec\.framework: Required/],
      ['an unknown trigger source', { trigger: { source: 'carrier-pigeon' } }, /spec\.trigger\.source/],
      ['a budget that is no money', { policy: { modelConstraints: { budget: '1e9' } } }, /budget/],
      ['a timeout of zero', { limits: { timeoutSeconds: 0 } }, /timeoutSeconds/],
      ['a memory limit that is no quantity', { limits: { memory: 'much' } }, /memory/],
      ['source git without the field git', { source: { type: 'git' } }, /go together/],
      [
        'source none with a field git',
        { source: { type: 'none', git: { url: 'https://example.com/r.git' } } },
        /go together/,
      ],
      ['a git URL with a local path', { source: { type: 'git', git: { url: 'file:///etc' } } }, /url/],
      [
        'a git ref that is an option',
        { source: { type: 'git', git: { url: 'https://example.com/r.git', ref: '--upload-pack=x' } } },
        /ref/,
      ],
      [
        'an upload digest of another kind',
        { source: { type: 'upload', upload: { sizeBytes: 1, digest: 'md5:00' } } },
        /digest/,
      ],
      [
        'a result of a session without a repository',
        { result: { branch: 'ambient/fix' } },
        /needs a source of type git/,
      ],
      ['a display name of two lines', { displayName: 'a\nb' }, /displayName.*must be one line/],
      [
        'a display name with a character that turns others round',
        { displayName: 'gpj.\u202etpircs' },
        /displayName.*not seen/,
      ],
      ['a display name of 201 characters', { displayName: 'x'.repeat(201) }, /displayName/],
    ];
    for (const [what, spec, says] of MALFORMED) it(`refuses ${what}`, () => refused(create(spec), says));

    it('takes a display name in any script, and emoji that are joined', async () => {
      for (const displayName of ['Näht ✂', '修复', 'می\u200cخواهم', '👩\u200d💻 ❤️'])
        assert.equal((await create({ displayName })).spec.displayName, displayName);
    });

    it('goes on with those whose display name was stored before there was a rule about it', async () => {
      // The same definition in a group of its own: what others of this cluster use stays as it is.
      const group = `before-${randomUUID().slice(0, 8)}.example`;
      const text = await readFile('manifests/crds/sessions.ambient.ai.yaml', 'utf8');
      const now = text.replaceAll('ambient.ai', group);
      const before = now.replace(/rule: self\.matches\(r'.*'\)$/m, 'rule: "true"');
      assert.notEqual(before, now);
      const created = await client.create(
        customResourceDefinitions,
        parse(before) as CustomResourceDefinition,
      );
      try {
        const olden: Resource<Session> = { ...sessions, group };
        const object: Session = {
          ...session({ displayName: 'two\nlines' }),
          apiVersion: `${group}/v1alpha1`,
        };
        const at = { namespace, name: object.metadata.name };
        await until(
          () =>
            client.create(olden, object).then(
              () => true,
              (error: unknown) => !isNotFound(error),
            ),
          'the kind is served',
        );
        await client.get(olden, at);
        await client.mergePatch(
          customResourceDefinitions,
          { name: created.metadata.name },
          {
            spec: (parse(now) as CustomResourceDefinition).spec,
          },
        );
        await until(
          () =>
            client.create(olden, { ...object, metadata: { ...object.metadata, name: randomUUID() } }).then(
              () => false,
              (error: unknown) => isInvalid(error),
            ),
          'the rule holds',
        );
        await client.mergePatch(olden, at, { metadata: { labels: { team: 'a' } } });
        const status = { phase: 'Pending', history: [entry(1)] };
        const running = await client.mergePatch(olden, { ...at, subresource: 'status' }, { status });
        assert.deepEqual([running.spec.displayName, running.status?.phase], ['two\nlines', 'Pending']);
      } finally {
        await client.delete(customResourceDefinitions, { name: created.metadata.name });
      }
    });

    it('refuses a name that cannot be a label', () =>
      refused(
        client.create(sessions, { ...session(), metadata: { name: 'a'.repeat(64), namespace } }),
        /at most 63 characters/,
      ));

    const SPEC_CHANGES: [string, object][] = [
      ['a changed field', { framework: { type: 'other' } }],
      ['an added field', { displayName: 'new' }],
      ['a change inside free-form configuration', { framework: { config: { command: 'false' } } }],
      ['an added key inside free-form configuration', { framework: { config: { more: 1 } } }],
      ['a removed field', { trigger: null }],
    ];
    for (const [what, spec] of SPEC_CHANGES)
      it(`refuses ${what} in spec after creation`, async () => {
        const created = await create();
        const at = { namespace, name: created.metadata.name };
        // a removed field with a default comes back as it was, which is no change
        if (what === 'a removed field') {
          const after = await client.mergePatch(sessions, at, { spec });
          assert.deepEqual(after.spec, created.spec);
          await refused(
            client.mergePatch(sessions, at, { spec: { framework: { config: null } } }),
            /cannot be changed/,
          );
        } else await refused(client.mergePatch(sessions, at, { spec }), /cannot be changed/);
      });

    describe('history', () => {
      it('grows', async () => {
        const created = await withStatus({ history: entries(1, 2) });
        const after = await setStatus(created, { history: [...entries(1, 2), entry(3, { why: 'more' })] });
        assert.equal(after.status?.history?.length, 3);
      });
      const stored = [entry(1, { a: 1 }), entry(2), entry(3), entry(4)];
      const BROKEN: [string, unknown, RegExp][] = [
        ['removed entirely', null, /history cannot be removed/],
        ['emptied', [], /cannot be removed/],
        ['cut at the end', stored.slice(0, 3), /removed from the end/],
        ['cut at the front', stored.slice(1), /trimmed from the front/],
        ['with an entry gone in the middle', [stored[0], stored[2], stored[3]], /without a gap/],
        ['reordered in the middle', [stored[0], stored[2], stored[1], stored[3]], /without a gap|in order/],
        [
          'with an entry from nowhere in the middle',
          [stored[0], entry(9), stored[2], stored[3]],
          /without a gap|in order/,
        ],
        [
          'with another actor',
          [{ ...entry(1, { a: 1 }), actor: 'someone' }, ...stored.slice(1)],
          /history entry cannot be changed/,
        ],
        ['with other data', [entry(1, { a: 2 }), ...stored.slice(1)], /history entry cannot be changed/],
        ['with data taken out', [entry(1), ...stored.slice(1)], /history entry cannot be changed/],
        ['with a number left out', [...stored, entry(6)], /without a gap/],
        ['with a number twice', [...stored, entry(4)], /Duplicate|without a gap/],
      ];
      for (const [what, history, says] of BROKEN)
        it(`cannot be ${what}`, async () => {
          const created = await withStatus({ history: stored });
          await refused(setStatus(created, { history }), says);
        });
      it('starts at 1', async () =>
        refused(setStatus(await create(), { history: [entry(5)] }), /starts at 1/));
      it(`can be trimmed at the front when ${HISTORY_MAX} are kept, and no further than to ${HISTORY_KEEP}`, async () => {
        const created = await withStatus({ history: entries(1, HISTORY_MAX) });
        const last = HISTORY_MAX + 1;
        await refused(
          setStatus(created, { history: entries(1, last) }),
          /history.*at most|Too many|must have at most/i,
        );
        await refused(setStatus(created, { history: entries(last - HISTORY_KEEP + 2, last) }), /trimmed/);
        const after = await setStatus(created, { history: entries(last - HISTORY_KEEP + 1, last) });
        assert.equal(after.status?.history?.[0]?.seq, last - HISTORY_KEEP + 1);
        await refused(setStatus(created, { history: entries(last - HISTORY_KEEP + 2, last) }), /trimmed/);
      });
    });

    describe('phase', () => {
      const WAYS: [string | undefined, string, boolean][] = [
        [undefined, 'Pending', true],
        [undefined, 'Failed', true],
        [undefined, 'Running', false],
        [undefined, 'Completed', false],
        ['Pending', 'Running', true],
        ['Pending', 'Failed', true],
        ['Pending', 'Completed', false],
        ['Running', 'Completed', true],
        ['Running', 'Failed', true],
        ['Running', 'Pending', false],
        ['Completed', 'Failed', false],
        ['Completed', 'Running', false],
        ['Completed', 'Pending', false],
        ['Failed', 'Completed', false],
        ['Failed', 'Running', false],
        ['Failed', 'Pending', false],
      ];
      for (const [from, to, allowed] of WAYS)
        it(`${allowed ? 'goes' : 'never goes'} from ${from ?? 'nothing'} to ${to}`, async () => {
          const created =
            from === undefined ? await create() : await withStatus({ phase: from as SessionStatus['phase'] });
          const change = setStatus(created, { phase: to });
          if (allowed) assert.equal((await change).status?.phase, to);
          else await refused(change, /phase|starts Pending/);
        });
      it('cannot be taken away once terminal, nor the whole status', async () => {
        const created = await withStatus({ phase: 'Completed', history: [entry(1)] });
        await refused(setStatus(created, { phase: null }), /terminal phase never changes/);
        await refused(
          client.mergePatch(
            sessions,
            { namespace, name: created.metadata.name, subresource: 'status' },
            { status: null },
          ),
          /status cannot be removed/,
        );
      });
      it('once terminal makes the workload and the request to stop final, while history may still grow', async () => {
        const created = await withStatus({
          phase: 'Completed',
          workload: { jobName: 'j', exitCode: 0 },
          history: [entry(1)],
        });
        await refused(setStatus(created, { workload: { exitCode: 1 } }), /finished session is final/);
        await refused(setStatus(created, { workload: null }), /finished session is final/);
        await refused(
          setStatus(created, {
            stop: { requestedAt: '2026-01-01T00:00:00Z', requestedBy: 'x', gracePeriodSeconds: 1 },
          }),
          /finished session is final/,
        );
        assert.equal((await setStatus(created, { history: entries(1, 2) })).status?.history?.length, 2);
      });
      it('keeps a request to stop as it was made', async () => {
        const stop = { requestedAt: '2026-01-01T00:00:00Z', requestedBy: 'alice', gracePeriodSeconds: 30 };
        const created = await withStatus({ phase: 'Running', stop });
        await refused(
          setStatus(created, { stop: { requestedBy: 'mallory' } }),
          /request to stop cannot be changed/,
        );
        await refused(setStatus(created, { stop: null }), /cannot be taken back/);
      });
    });

    it('shows Phase, Framework, Trigger and Age to kubectl, under the short name sess', async () => {
      const created = await withStatus({ phase: 'Running' });
      const text = await cluster.kubectl(['get', 'sess', created.metadata.name, '-n', namespace]);
      const [head, line] = text.split('\n').map((row) => row.trim().split(/\s{2,}/));
      assert.deepEqual(head, ['NAME', 'PHASE', 'FRAMEWORK', 'TRIGGER', 'AGE']);
      assert.deepEqual(line?.slice(0, 4), [created.metadata.name, 'Running', 'generic', 'manual']);
    });
  });

  describe('NamespacePolicy', () => {
    const policy = (name: string, spec: object) =>
      client.create(namespacePolicies, {
        apiVersion: 'ambient.ai/v1alpha1',
        kind: 'NamespacePolicy',
        metadata: { name, namespace },
        spec,
      });
    it('is one per namespace, named policy, with defaults filled in', async () => {
      await refused(policy('another', {}), /named policy/);
      const created = await policy('policy', {
        models: { budget: { monthly: '100.00' } },
        retention: {},
        webhookAuth: { rateLimit: {} },
        concurrency: {},
      });
      assert.deepEqual(created.spec.models?.budget, { monthly: '100.00', currency: 'USD', resetDay: 1 });
      assert.deepEqual(created.spec.retention, { sessions: '90d', artifacts: '30d', auditLogs: '7y' });
      assert.deepEqual(created.spec.webhookAuth?.rateLimit, { requestsPerMinute: 10, burstSize: 20 });
      assert.equal(created.spec.concurrency?.maxSessions, 50);
      const text = await cluster.kubectl(['get', 'nspolicy', '-n', namespace]);
      assert.match(text, /^NAME\s+BUDGET\s+SESSIONS\s+BUDGET USED\s+AGE/);
    });
    for (const [what, spec, says] of [
      ['a budget without cents', { models: { budget: { monthly: '100' } } }, /monthly/],
      ['another currency', { models: { budget: { monthly: '1.00', currency: 'EUR' } } }, /currency/],
      ['a reset on the 29th', { models: { budget: { monthly: '1.00', resetDay: 29 } } }, /resetDay/],
      ['a period in hours', { retention: { sessions: '24h' } }, /retention\.sessions/],
      [
        'an unknown notification event',
        { notifications: { webhooks: [{ url: 'https://example.com', events: ['all'] }] } },
        /events/,
      ],
      ['a key in the clear', { webhookAuth: { apiKeys: { github: 'secret' } } }, /apiKeys/],
      [
        'a named key in the clear',
        { webhookAuth: { keys: [{ id: 'a', source: 'github', hash: 'secret' }] } },
        /keys\[0\]\.hash/,
      ],
      ['a key of nobody', { webhookAuth: { keys: [{ id: 'a', source: 'manual' }] } }, /keys\[0\]\.source/],
      [
        'two keys of one name',
        { webhookAuth: { keys: ['jira', 'slack'].map((source) => ({ id: 'a', source })) } },
        /Duplicate value/,
      ],
    ] as [string, object, RegExp][])
      it(`refuses ${what}`, () => refused(policy('policy', spec), says));
  });

  describe('SessionTrigger', () => {
    const trigger = (spec: object, name = `t-${randomUUID().slice(0, 8)}`, dryRun = true) =>
      client.create(
        sessionTriggers,
        {
          apiVersion: 'ambient.ai/v1alpha1',
          kind: 'SessionTrigger',
          metadata: { name, namespace },
          spec: { source: 'github', session: { framework: { type: 'generic' } }, ...spec },
        } as never,
        { dryRun },
      );
    it('fills in defaults, and keeps placeholders as they came', async () => {
      const created = await trigger({
        when: { events: ['pull_request'] },
        session: {
          displayName: 'Review {{event.title}}',
          framework: { type: 'generic', config: { args: ['{{payload.pull_request.head.sha}}'] } },
          source: { type: 'git', git: { url: '{{payload.repository.clone_url}}', ref: '{{event.commit}}' } },
          limits: { memory: '1Gi' },
        },
      });
      assert.equal(created.spec.enabled, true);
      assert.equal(created.spec.when?.bots, false);
      assert.deepEqual(created.spec.session.framework.config, {
        args: ['{{payload.pull_request.head.sha}}'],
      });
      assert.equal(created.spec.session.limits?.timeoutSeconds, 3600);
    });
    it('shows what it waits for to kubectl, under the short name strig', async () => {
      await trigger({ when: { events: ['push', 'pull_request'] } }, 'shown', false);
      const text = await cluster.kubectl(['get', 'strig', 'shown', '-n', namespace]);
      const [head, line] = text.split('\n').map((row) => row.trim().split(/\s{2,}/));
      assert.deepEqual(head, [
        'NAME',
        'SOURCE',
        'EVENTS',
        'FRAMEWORK',
        'ENABLED',
        'VALID',
        'LAST MATCHED',
        'AGE',
      ]);
      assert.deepEqual(line?.slice(0, 5), ['shown', 'github', '["push","pull_request"]', 'generic', 'true']);
    });
    for (const [what, spec, says] of [
      ['a source that sends nothing', { source: 'manual' }, /spec\.source/],
      ['no session', { session: undefined }, /spec\.session/],
      ['a filter with an empty entry', { when: { events: [''] } }, /events/],
      ['101 labels', { when: { labels: Array.from({ length: 101 }, (_, i) => `l${i}`) } }, /labels/],
      [
        'a framework that the event chooses',
        { session: { framework: { type: '{{event.action}}' } } },
        /framework\.type/,
      ],
      [
        'an upload as source',
        { session: { framework: { type: 'generic' }, source: { type: 'upload' } } },
        /source\.type/,
      ],
      [
        'type git without the field git',
        { session: { framework: { type: 'generic' }, source: { type: 'git' } } },
        /go together/,
      ],
      [
        'a result without a repository',
        { session: { framework: { type: 'generic' }, result: {} } },
        /needs a source of type git/,
      ],
      [
        'a budget from the event',
        {
          session: {
            framework: { type: 'generic' },
            policy: { modelConstraints: { budget: '{{event.text}}' } },
          },
        },
        /budget/,
      ],
    ] as [string, object, RegExp][])
      it(`refuses ${what}`, () => refused(trigger(spec), says));
    it('refuses a name that no label could hold', () =>
      refused(trigger({}, 'a'.repeat(64)), /at most 63 characters/));
  });

  describe('Framework', () => {
    const framework = (spec: object) =>
      client.create(
        frameworks,
        {
          apiVersion: 'ambient.ai/v1alpha1',
          kind: 'Framework',
          metadata: { name: `t-${randomUUID().slice(0, 8)}` },
          spec: { versions: [{ name: '1', image: 'example/image:1' }], command: ['true'], ...spec },
        } as never,
        { dryRun: true },
      );
    it('takes a registry entry', async () => {
      assert.equal(
        (await framework({ configSchema: { type: 'object', properties: { command: { type: 'string' } } } }))
          .kind,
        'Framework',
      );
    });
    for (const [what, spec, says] of [
      ['no versions', { versions: [] }, /versions/],
      [
        'the same version twice',
        {
          versions: [
            { name: '1', image: 'a' },
            { name: '1', image: 'b' },
          ],
        },
        /Duplicate/,
      ],
      ['no command', { command: [] }, /command/],
      ['an event format nobody reads', { eventFormat: 'smoke' }, /eventFormat/],
    ] as [string, object, RegExp][])
      it(`refuses ${what}`, () => refused(framework(spec), says));
  });
});
