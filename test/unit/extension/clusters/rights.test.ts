/** What the person may do, as two kinds of answers of the API server tell it, and for how long it is believed. */
import assert from 'node:assert/strict';
import type { ResourceAttributes, SubjectRules } from '../../../../common/kube/access.ts';
import type { KubeClient } from '../../../../common/kube/client.ts';
import { neededFor, RIGHTS, Rights } from '../../../../extension/clusters/rights.ts';
import { Emitter } from '../../../../extension/ide/event.ts';
import { until } from '../../../support/until.ts';

const VIEWER: SubjectRules = {
  resourceRules: [
    {
      verbs: ['get', 'list', 'watch'],
      apiGroups: ['ambient.ai'],
      resources: ['sessions', 'namespacepolicies'],
    },
    { verbs: ['get'], apiGroups: ['live.ambient.ai'], resources: ['sessions/log'] },
  ],
  nonResourceRules: [],
  incomplete: false,
};

describe('the rights of the person', () => {
  let rules: SubjectRules | Error;
  let asked: number;
  let reviewed: ResourceAttributes[];
  let mayBySelf: (attributes: ResourceAttributes) => boolean;
  let now: number;
  let errors: unknown[];
  let changed: Emitter<void>;
  let rights: Rights;

  beforeEach(() => {
    rules = VIEWER;
    asked = 0;
    reviewed = [];
    mayBySelf = () => false;
    now = 0;
    errors = [];
    changed = new Emitter();
    const client = {
      connection: {
        json: async () => ({ status: { userInfo: { username: 'ann', groups: ['team-a'] } } }),
      },
      selfSubjectRulesReview: async () => {
        asked += 1;
        if (rules instanceof Error) throw rules;
        return rules;
      },
      selfSubjectAccessReview: async (attributes: ResourceAttributes) => {
        reviewed.push(attributes);
        return { allowed: mayBySelf(attributes) };
      },
    } as unknown as KubeClient;
    rights = new Rights({
      clusters: { client: async () => client, onDidChange: changed.event },
      now: () => now,
      onError: (error) => errors.push(error),
    });
  });

  it('are told to one who may not, with the right to ask for', async () => {
    assert.equal(
      await rights.refusal('dev', 'team-a', 'launch'),
      'You may not launch sessions in team-a: needs create on sessions.ambient.ai. Ask an administrator of the namespace.',
    );
    assert.match(
      (await rights.refusal('dev', 'team-a', 'approve')) ?? '',
      /needs create on sessions\/approve\.live\.ambient\.ai/,
    );
    assert.equal(await rights.refusal('dev', 'team-a', 'viewPolicy'), undefined);
    assert.equal(asked, 1, 'one question for all');
    assert.deepEqual(reviewed, []);
  });

  it('are asked one by one where the list of rules is not complete', async () => {
    rules = { ...VIEWER, incomplete: true };
    mayBySelf = ({ subresource }) => subresource === 'stop';
    assert.equal(await rights.refusal('dev', 'team-a', 'stop'), undefined);
    assert.notEqual(await rights.refusal('dev', 'team-a', 'delete'), undefined);
    assert.ok(reviewed.every(({ namespace }) => namespace === 'team-a'));
    assert.equal(reviewed.length, Object.keys(RIGHTS).length - 1, 'what the rules allow is not asked again');
  });

  it('are believed for a while, and asked again after a refusal or with other connections', async () => {
    await rights.refusal('dev', 'team-a', 'launch');
    await rights.refusal('dev', 'team-a', 'stop');
    assert.equal(asked, 1);
    now += 61_000;
    await rights.refusal('dev', 'team-a', 'stop');
    assert.equal(asked, 2);
    rights.forget('dev', 'team-a');
    await rights.refusal('dev', 'team-a', 'stop');
    assert.equal(asked, 3);
    changed.fire();
    await rights.refusal('dev', 'team-a', 'stop');
    assert.equal(asked, 4);
  });

  it('can be looked at without waiting, and tell when they are others', async () => {
    const news: string[] = [];
    rights.onDidChange(({ cluster, namespace }) => news.push(`${cluster}/${namespace}`));
    assert.equal(rights.peek('dev', 'team-a'), undefined);
    await until(() => news.length === 1, 'the answer', 2000);
    assert.deepEqual([...(rights.peek('dev', 'team-a') ?? [])], ['viewPolicy']);
    rights.forget('dev', 'team-a');
    assert.deepEqual([...(rights.peek('dev', 'team-a') ?? [])], ['viewPolicy'], 'the old answer until then');
    await until(() => asked === 2, 'the second question', 2000);
    assert.deepEqual(news, ['dev/team-a'], 'the same answer is no news');
  });

  it('keep nobody from trying where they cannot be found out', async () => {
    rules = new Error('away');
    assert.equal(await rights.refusal('dev', 'team-a', 'delete'), undefined);
    assert.equal(errors.length, 1);
    rules = VIEWER;
    assert.notEqual(await rights.refusal('dev', 'team-a', 'delete'), undefined, 'asked again at once');
  });

  it('know who the person is', async () => {
    assert.deepEqual(await rights.me('dev'), { user: 'ann', groups: ['team-a'] });
  });

  it('are named as an administrator has to grant them', () => {
    assert.deepEqual(
      Object.fromEntries(
        (Object.keys(RIGHTS) as (keyof typeof RIGHTS)[]).map((each) => [each, neededFor(each)]),
      ),
      {
        launch: 'create on sessions.ambient.ai',
        upload: 'update on sessions/source.live.ambient.ai',
        stop: 'create on sessions/stop.live.ambient.ai',
        message: 'create on sessions/message.live.ambient.ai',
        interrupt: 'create on sessions/interrupt.live.ambient.ai',
        resume: 'create on sessions/resume.live.ambient.ai',
        budget: 'create on sessions/budget.live.ambient.ai',
        delete: 'delete on sessions.ambient.ai',
        approve: 'create on sessions/approve.live.ambient.ai',
        reject: 'create on sessions/reject.live.ambient.ai',
        audit: 'get on sessions/audit.live.ambient.ai',
        viewPolicy: 'get on namespacepolicies.ambient.ai',
        createPolicy: 'create on namespacepolicies.ambient.ai',
        editPolicy: 'update on namespacepolicies.ambient.ai',
        viewTriggers: 'list on sessiontriggers.ambient.ai',
        createTrigger: 'create on sessiontriggers.ambient.ai',
        editTrigger: 'update on sessiontriggers.ambient.ai',
        deleteTrigger: 'delete on sessiontriggers.ambient.ai',
      },
    );
  });
});
