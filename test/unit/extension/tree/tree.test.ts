/** The tree as text: what a person sees for clusters in every state. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Artifact } from '../../../../common/api/live.ts';
import { AmbientError } from '../../../../common/errors.ts';
import { KubeError } from '../../../../common/kube/errors.ts';
import type { ClusterNode } from '../../../../extension/tree/cluster-node.ts';
import type { GroupNode } from '../../../../extension/tree/group-node.ts';
import type { SessionNode } from '../../../../extension/tree/session-node.ts';
import { until } from '../../../support/until.ts';
import { matchesGolden } from '../../../support/golden.ts';
import { aContext, ago, asText, aSession, aWorld, find, forbidden, named, NOW } from './fixture.ts';
import type { World } from './fixture.ts';

const golden = (name: string): string => join(import.meta.dirname, `${name}.golden.txt`);

const condition = (
  type: 'Approved' | 'BudgetExceeded' | 'BudgetPaused' | 'NeedsInput' | 'Completed' | 'Failed',
  status: 'True' | 'False',
  reason: string,
) => ({
  type,
  status,
  reason,
  message: '',
  lastTransitionTime: ago(3),
});

const anArtifact = (path: string, size = 10): Artifact => ({
  path,
  type: 'output',
  size,
  contentType: 'text/plain',
  createdAt: ago(1),
  digest: `sha256:${'0'.repeat(64)}`,
});

function busyWorld(): World {
  const world = aWorld([aContext('dev', { isCurrent: true, namespace: 'demo' })]);
  world.watched('dev/demo').sessions = [
    aSession('waits-for-approval', {
      created: 3,
      status: {
        phase: 'Pending',
        message: 'Waiting for an approver.',
        conditions: [condition('Approved', 'False', 'AwaitingApproval')],
      },
    }),
    aSession('third-in-line', {
      created: 4,
      status: {
        phase: 'Pending',
        message: 'Waits for its turn: 50 of 50 sessions run.',
        queue: { reason: 'Concurrency', position: 3, since: ago(4) },
      },
    }),
    aSession('for-budget', {
      created: 4,
      status: { phase: 'Pending', queue: { reason: 'Budget', position: 12, since: ago(4) } },
    }),
    aSession('asks', {
      created: 6,
      status: {
        phase: 'Running',
        message: 'Running on node node-1.',
        input: { open: true },
        conditions: [{ ...condition('NeedsInput', 'True', 'Asked'), message: 'Which branch?' }],
      },
    }),
    aSession('paused', {
      created: 7,
      status: {
        phase: 'Running',
        message: 'Running on node node-1.',
        conditions: [
          {
            ...condition('BudgetPaused', 'True', 'SessionBudgetSpent'),
            message: 'Paused: the budget is spent.',
          },
        ],
      },
    }),
    aSession('spent', {
      created: 8,
      status: { phase: 'Running', conditions: [condition('BudgetExceeded', 'True', 'SessionBudgetSpent')] },
    }),
    aSession('just-created', { created: 0 }),
    aSession('pending', {
      created: 2,
      status: { phase: 'Pending', message: 'Waiting for the pod to start.' },
    }),
    aSession('running', {
      created: 65,
      spec: { displayName: 'Review the pull request' },
      status: { phase: 'Running', message: 'Running npm test' },
    }),
    aSession('stopping', {
      status: {
        phase: 'Running',
        stop: { requestedAt: ago(1), requestedBy: 'jo', gracePeriodSeconds: 30 },
        message: 'Asked to stop.',
      },
    }),
    aSession('completed', {
      created: 90,
      status: {
        phase: 'Completed',
        message: 'Finished after 3 min.',
        workload: { startTime: ago(80), completionTime: ago(77), exitCode: 0 },
        artifacts: { count: 3 },
      },
    }),
    aSession('failed', {
      created: 200,
      status: {
        phase: 'Failed',
        message: 'The command ended with exit code 2.',
        conditions: [condition('Failed', 'True', 'CommandFailed')],
      },
    }),
    aSession('stopped', {
      created: 300,
      status: {
        phase: 'Failed',
        message: 'Stopped by jo.',
        workload: { completionTime: ago(250) },
        stop: { requestedAt: ago(251), requestedBy: 'jo', gracePeriodSeconds: 30 },
      },
    }),
    aSession('old', {
      created: 4000,
      status: { phase: 'Completed', workload: { completionTime: ago(3900) } },
    }),
    aSession('ancient', {
      created: 40_000,
      status: { phase: 'Completed', workload: { completionTime: ago(39_000) } },
    }),
    aSession('leaving', { created: 5, status: { phase: 'Running' }, deleting: true }),
  ];
  return world;
}

describe('the tree of sessions', () => {
  it('groups sessions by what they need, newest first', async () => {
    matchesGolden(golden('groups'), await asText(busyWorld()));
  });

  it('offers a viewer nothing that would be refused', async () => {
    const world = busyWorld();
    world.watched('dev/demo').sessions = world.watched('dev/demo').sessions.slice(0, 1);
    world.rights.set('dev/demo', new Set(['viewPolicy'] as const));
    await asText(world);
    assert.match(await asText(world), /\[namespace unpinned noLaunch\]/);
    assert.match(await asText(world), /\[session active approval noStop noDelete noApprove noReject\]/);
    world.watched('dev/demo').sessions = [];
    assert.match(
      await asText(world),
      /\(dash\) No sessions yet {2}you may view them here, but not launch {2}\[message\]$/,
    );
  });

  it('says every row to a screen reader', async () => {
    matchesGolden(golden('spoken'), await asText(busyWorld(), { spoken: true }));
  });

  it('shows several clusters at once, each with its own problems', async () => {
    const world = aWorld([
      aContext('dev', { isCurrent: true }),
      aContext('down'),
      aContext('expired'),
      aContext('fresh'),
      aContext('foreign'),
    ]);
    world.settings = {
      ...world.settings,
      contexts: ['dev', 'down', 'expired', 'fresh', 'foreign', 'removed'],
    };
    const unreachable = new KubeError('https://down.example:6443 cannot be reached: connect ECONNREFUSED', {
      status: 0,
      reason: 'Unreachable',
    });
    world.answers.set('down discovers', unreachable);
    world.answers.set(
      'expired discovers',
      new KubeError('Unauthorized', { status: 401, reason: 'Unauthorized' }),
    );
    world.answers.set('fresh discovers', false);
    world.answers.set('foreign /api/v1/namespaces', forbidden('namespaces'));
    world.answers.set('foreign /apis/ambient.ai/v1alpha1/sessions', forbidden('sessions'));
    world.kubeconfig.problems.push(
      new AmbientError('kubeconfig_invalid', 'the kubeconfig /home/jo/other is not valid YAML: line 3'),
    );
    matchesGolden(golden('clusters'), await asText(world));
    assert.equal(world.viewState, 'tree');
  });

  it('shows namespaces with pinned ones first, and keeps empty ones out of a long list', async () => {
    const world = aWorld([aContext('dev', { isCurrent: true, namespace: 'mine' })]);
    const names = Array.from({ length: 30 }, (_, index) => `team-${index}`);
    world.answers.set('dev /api/v1/namespaces', named('NamespaceList', [...names, 'mine']));
    world.answers.set('dev /apis/ambient.ai/v1alpha1/sessions', {
      metadata: {},
      items: [
        { metadata: { name: 'x', namespace: 'team-7' } },
        { metadata: { name: 'y', namespace: 'team-20' } },
      ],
    });
    world.settings = { ...world.settings, pinned: ['team-9', 'dev/team-3', 'other/team-4'] };
    matchesGolden(golden('namespaces'), await asText(world));
    const [cluster] = world.root.clusters;
    cluster?.showEmpty();
    assert.equal((await (cluster as ClusterNode).children()).length, 31);
  });

  it('works when listing namespaces is forbidden: pinned ones, and the own one if sessions may be listed there', async () => {
    const world = aWorld([aContext('dev', { isCurrent: true, namespace: 'mine' })]);
    world.answers.set('dev /api/v1/namespaces', forbidden('namespaces'));
    world.answers.set('dev /apis/ambient.ai/v1alpha1/sessions', forbidden('sessions'));
    world.answers.set('dev rules', {
      resourceRules: [{ verbs: ['list'], apiGroups: ['ambient.ai'], resources: ['sessions'] }],
      nonResourceRules: [],
      incomplete: false,
    });
    world.settings = { ...world.settings, pinned: ['dev/pinned'] };
    world.watched('dev/pinned').state = { phase: 'failed', error: forbidden('sessions') };
    matchesGolden(golden('forbidden'), await asText(world));
  });

  it('turns agents’ files into folders, with names that cannot deceive', async () => {
    const world = busyWorld();
    world.artifacts.set('completed', [
      anArtifact('report.md', 2048),
      anArtifact('changes.patch'),
      anArtifact('charts/a.svg'),
      anArtifact('.ambient/provenance.intoto.jsonl'),
      anArtifact('charts/deep/b.svg', 5_000_000),
      anArtifact('evil\u202Egpj.exe'),
    ]);
    const session = (await find(world, 'completed')) as SessionNode;
    const lines: string[] = [];
    const visit = async (
      nodes: Awaited<ReturnType<SessionNode['children']>>,
      depth: number,
    ): Promise<void> => {
      for (const node of nodes) {
        const { label, description, context } = node.view();
        lines.push(`${'  '.repeat(depth)}${label}  ${description ?? ''}  [${context ?? ''}]`);
        await visit(await node.children(), depth + 1);
      }
    };
    await visit(await session.children(), 0);
    matchesGolden(golden('artifacts'), lines.join('\n'));
    const [, , file] = await session.children();
    assert.deepEqual(file?.view().command?.arguments?.[0], {
      cluster: 'dev',
      namespace: 'demo',
      name: 'completed',
      uid: 'uid-completed',
    });
  });

  it('asks for artifacts again only when the session itself has changed', async () => {
    const world = busyWorld();
    const session = (await find(world, 'completed')) as SessionNode;
    await session.children();
    const before = world.artifactRequests.filter(({ name }) => name === 'completed').length;
    await asText(world);
    await session.children();
    assert.equal(world.artifactRequests.filter(({ name }) => name === 'completed').length, before);
    const changed = aSession('completed', { status: { phase: 'Completed' } });
    changed.metadata.resourceVersion = '2';
    world.watched('dev/demo').set([changed]);
    await asText(world);
    await session.children();
    assert.equal(world.artifactRequests.filter(({ name }) => name === 'completed').length, before + 1);
  });

  it('lists the artifacts of a session that went on while they were listed as it is then', async () => {
    const world = busyWorld();
    const session = (await find(world, 'completed')) as SessionNode;
    const early = Promise.withResolvers<Artifact[]>();
    world.artifacts.set('completed', early.promise);
    const went = (resourceVersion: string): Promise<string> => {
      const changed = aSession('completed', { status: { phase: 'Completed' } });
      changed.metadata.resourceVersion = resourceVersion;
      world.watched('dev/demo').set([changed]);
      return asText(world);
    };
    await went('2');
    const before = session.children();
    await went('3');
    const after = session.children();
    world.artifacts.set('completed', [anArtifact('report.md')]);
    early.resolve([]);
    await before;
    assert.deepEqual(
      (await after).map((row) => row.view().label),
      ['report.md'],
    );
  });

  it('says what is wrong when artifacts cannot be listed', async () => {
    const world = busyWorld();
    world.artifacts.set(
      'completed',
      new KubeError('service unavailable', { status: 503, reason: 'ServiceUnavailable' }),
    );
    const session = (await find(world, 'completed')) as SessionNode;
    const [problem] = await session.children();
    assert.equal(problem?.view().label, 'The operator does not answer');
  });

  it('says of a session which event it came from, and not that the operator launched it', async () => {
    const world = aWorld([aContext('dev', { isCurrent: true, namespace: 'demo' })]);
    const createdBy = { user: 'system:serviceaccount:ambient-system:ambient-operator' };
    const received = { digest: '', sizeBytes: 1, artifact: '' };
    const trigger = { source: 'github' as const, event: 'issues', action: 'labeled', name: 'fix', received };
    world.watched('dev/demo').sessions = [
      aSession('by-event', {
        spec: { createdBy, trigger },
        status: { phase: 'Running', message: 'Reading' },
      }),
    ];
    await asText(world);
    const node = await find(world, 'by-event');
    const { spoken, tooltip } = node.view();
    assert.equal(spoken, 'session by-event, running, 10 min · from github · Reading');
    assert.match(tooltip ?? '', /Triggered by: github, issues, labeled {2}\nTrigger: fix/);
    assert.doesNotMatch(tooltip ?? '', /Launched by/);
  });

  it('shows hostile text as text', async () => {
    const world = aWorld();
    world.watched('dev/demo').sessions = [
      aSession('x', {
        spec: { displayName: 'a\u202Eb [click](command:evil) <img src=x onerror=alert(1)>\n# Big' },
        status: {
          phase: 'Running',
          message: '**bold** https://evil.example www.evil.example me@evil.example `code` ~~x~~ | $(alert)',
        },
      }),
    ];
    const session = await find(world, 'ab [click](command:evil) <img src=x onerror=alert(1)> # Big');
    matchesGolden(golden('hostile'), JSON.stringify(session.view(), undefined, 2));
  });

  it('pages long lists', async () => {
    const world = aWorld();
    world.watched('dev/demo').sessions = Array.from({ length: 1201 }, (_, index) =>
      aSession(`s-${index}`, { created: index + 1, status: { phase: 'Running' } }),
    );
    const group = (await find(world, 'Running')) as GroupNode;
    const rows = await group.children();
    assert.equal(rows.length, 501);
    const more = rows.at(-1)?.view();
    assert.deepEqual([more?.label, more?.description], ['Show more…', '701 more']);
    (more?.command?.arguments?.[0] as { showMore(): void }).showMore();
    assert.equal(world.refreshes.at(-1), group);
    assert.equal((await group.children()).length, 1001);
  });

  it('gives rows of the same thing the same identity, over refreshes and changes of group', async () => {
    const world = busyWorld();
    const before = await find(world, 'pending');
    world
      .watched('dev/demo')
      .set([aSession('pending', { created: 2, status: { phase: 'Completed' } }), aSession('other')]);
    const after = await find(world, 'pending');
    assert.equal(after, before);
    assert.equal(after.parent?.view().label, 'Finished within a day');
    const ids: string[] = [];
    const visit = async (
      nodes: readonly { id: string; children(): Promise<readonly never[]> }[],
    ): Promise<void> => {
      for (const node of nodes) {
        ids.push(node.id);
        await visit(await node.children());
      }
    };
    await visit((await world.root.children()) as never);
    assert.equal(new Set(ids).size, ids.length, 'ids are unique');
  });

  it('watches a namespace only while it is open', async () => {
    const world = busyWorld();
    const watched = world.watched('dev/demo');
    assert.equal(watched.held, 0);
    await asText(world);
    await asText(world);
    assert.deepEqual([watched.held, watched.acquired], [1, 1]);
    world.root.release();
    assert.equal(watched.held, 0);
    await asText(world);
    assert.deepEqual([watched.held, watched.acquired], [1, 2]);
  });

  it('begins to read what will be open while it still asks for the namespaces, once', async () => {
    const world = aWorld([aContext('dev', { isCurrent: true, namespace: 'mine' })]);
    const answer = Promise.withResolvers<boolean>();
    world.answers.set('dev discovers', answer.promise);
    world.settings = { ...world.settings, pinned: ['dev/pinned', 'prod/other'] };
    const [cluster] = await world.root.children();
    const asked = cluster?.children();
    await until(() => world.expected.length > 0, 'reading begins');
    assert.deepEqual(world.expected, ['dev/mine', 'dev/pinned']);
    answer.reject(new KubeError('no route', { status: 0, reason: 'Unreachable' }));
    await asked;
    world.root.invalidate();
    await cluster?.children();
    assert.equal(
      world.expected.length,
      2,
      'a cluster that does not answer is not asked more than it must be',
    );
  });

  it('begins to read nothing ahead where that would be many namespaces', async () => {
    const world = aWorld();
    world.settings = { ...world.settings, pinned: ['a', 'b', 'c', 'd', 'e', 'f'] };
    await asText(world);
    assert.deepEqual(world.expected, ['dev/default']);
  });

  it('waits for slow namespaces together, not for one after the other', async () => {
    const world = aWorld();
    world.answers.set('dev /api/v1/namespaces', named('NamespaceList', ['a', 'b', 'c']));
    world.settings = { ...world.settings, pinned: ['a', 'b', 'c'] };
    for (const name of ['a', 'b', 'c']) world.watched(`dev/${name}`).reads();
    const [cluster] = await world.root.children();
    const namespaces = (await cluster?.children()) ?? [];
    const rows = async (index: number): Promise<string[]> => {
      const from = performance.now();
      const children = (await namespaces[index]?.children()) ?? [];
      world.now += performance.now() - from;
      return children.map((row) => row.view().label);
    };
    for (const index of [0, 1, 2]) assert.deepEqual(await rows(index), ['Reading sessions…']);
    // Each by itself would wait for half a second; two of them are too many already.
    assert.ok(world.now - NOW < 900, `${world.now - NOW} ms`);
  });

  it('shows the first sessions of a long list at once, and the rest of it not page by page', async () => {
    const world = aWorld();
    const watched = world.watched('dev/demo');
    watched.reads();
    assert.match(await asText(world), /Reading sessions… +\[message\]$/);
    watched.set([aSession('first')]);
    assert.equal(world.urgency.at(-1), 0, 'nothing else is shown: at once');
    assert.match(await asText(world), /Reading sessions…[^]*first/);
    watched.set([aSession('first'), aSession('second')]);
    assert.equal(world.urgency.at(-1), 500);
    watched.setState({ phase: 'synced' });
    assert.equal(world.urgency.at(-1), undefined, 'as any other change');
    assert.doesNotMatch(await asText(world), /Reading sessions/);
  });

  it('redraws only the namespace that changed', async () => {
    const world = busyWorld();
    await asText(world);
    world.refreshes.length = 0;
    world.watched('dev/demo').set([aSession('new')]);
    assert.deepEqual(
      world.refreshes.map((node) => node?.view().label),
      ['demo'],
    );
  });

  it('keeps showing what it knows while the connection is lost, and says that it is not live', async () => {
    const world = busyWorld();
    await asText(world);
    const error = new KubeError('read ECONNRESET', { status: 0, reason: 'Unreachable' });
    world.watched('dev/demo').setState({ phase: 'reconnecting', error });
    const text = await asText(world);
    assert.match(text, /demo  .*not live/);
    assert.match(text, /Not live: what you see may be out of date/);
    assert.match(text, /Review the pull request/);
  });

  it('says that it is connecting when that takes a while, and is drawn again afterwards', async () => {
    const world = aWorld();
    const answer = Promise.withResolvers<boolean>();
    world.answers.set('dev discovers', answer.promise);
    assert.match(await asText(world), /dev.*\n {4}\(loading~spin\) Connecting…/);
    assert.deepEqual(world.refreshes, []);
    answer.resolve(true);
    await until(() => world.refreshes.length === 1, 'the cluster is drawn again');
    assert.match(await asText(world), /demo/);
  });

  describe('of one cluster gives way to a welcome view', () => {
    for (const [kind, path, answer] of [
      ['unreachable', 'discovers', new KubeError('no route', { status: 0, reason: 'Unreachable' })],
      ['unreachable', 'discovers', new KubeError('did not answer in time', { status: 0, reason: 'Timeout' })],
      ['credentials', 'discovers', new KubeError('Unauthorized', { status: 401, reason: 'Unauthorized' })],
      [
        'credentials',
        'discovers',
        new KubeError('aws: not found', { status: 0, reason: 'CredentialsFailed' }),
      ],
      ['notInstalled', 'discovers', false],
      ['other', 'discovers', new KubeError('etcd is away', { status: 500, reason: 'InternalError' })],
    ] as const) {
      it(`when ${answer === false ? 'the CRDs are missing' : answer.message}: ${kind}`, async () => {
        const world = aWorld();
        world.answers.set(`dev ${path}`, answer);
        await asText(world);
        assert.equal(world.refreshes.length, 1, 'the root is drawn again once the problem is known');
        assert.equal(await asText(world), '');
        assert.equal(world.viewState, kind);
        assert.equal(world.root.problem?.kind, kind);
        world.answers.delete(`dev ${path}`);
        world.root.invalidate();
        assert.match(await asText(world), /demo/);
        assert.equal(world.viewState, 'tree');
      });
    }

    it('when no namespace may be looked into: noNamespaces', async () => {
      const world = aWorld();
      world.answers.set('dev /api/v1/namespaces', forbidden('namespaces'));
      world.answers.set('dev /apis/ambient.ai/v1alpha1/sessions', forbidden('sessions'));
      await asText(world);
      assert.equal(await asText(world), '');
      assert.equal(world.viewState, 'noNamespaces');
    });

    it('when there is no kubeconfig, or none that can be used, or no current context', async () => {
      const none = aWorld([]);
      assert.equal(await asText(none), '');
      assert.equal(none.viewState, 'noKubeconfig');
      none.kubeconfig.problems.push(new AmbientError('kubeconfig_invalid', 'not valid YAML'));
      await asText(none);
      assert.equal(none.viewState, 'kubeconfigInvalid');
      assert.match(none.root.problem?.message ?? '', /not valid YAML/);
      const undecided = aWorld([aContext('a'), aContext('b')]);
      await asText(undecided);
      assert.equal(undecided.viewState, 'noContext');
    });
  });
});
