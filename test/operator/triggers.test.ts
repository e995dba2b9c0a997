/** A trigger on a real API server: whether it is right is told in its status and when it is set, and what it made is counted. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { API_VERSION, OPERATOR_NAMESPACE } from '../../common/api/names.ts';
import type { SessionSpec } from '../../common/api/session.ts';
import type { SessionTrigger, SessionTriggerSpec } from '../../common/api/session-trigger.ts';
import type { KubeClient } from '../../common/kube/client.ts';
import { frameworks, resourcePath, sessions, sessionTriggers } from '../../common/kube/resource.ts';
import { operatorUser } from '../../common/rules/approval.ts';
import { findCondition } from '../../common/rules/conditions.ts';
import { testCluster } from '../support/cluster.ts';
import type { TestCluster } from '../support/cluster.ts';
import { manifests } from '../support/deploy.ts';
import { aFramework, aSession } from '../support/fixtures.ts';
import { runOperatorProcess } from '../support/operator-process.ts';
import type { OperatorProcess } from '../support/operator-process.ts';
import { until } from '../support/until.ts';

const SPEC: SessionTriggerSpec = {
  source: 'github',
  when: { events: ['pull_request'], actions: ['opened'] },
  session: {
    framework: { type: 'generic', config: { command: 'echo "$1"', args: ['{{event.title}}'] } },
  },
};

describe('a trigger on a real API server', function () {
  this.timeout(60_000);
  let cluster: TestCluster;
  let client: KubeClient;
  let operator: OperatorProcess | undefined;
  let namespace: string;

  before(async function () {
    this.timeout(300_000);
    cluster = await testCluster(this);
    ({ client } = cluster);
    namespace = await cluster.namespace('triggers');
    await cluster.kubectl(['apply', '-f', join(manifests, 'frameworks', 'generic.yaml')]);
    operator = await runOperatorProcess(cluster);
  });
  after(async function () {
    this.timeout(60_000);
    await cluster?.removeSessions();
    await operator?.[Symbol.asyncDispose]();
  });

  const create = (name: string, spec: SessionTriggerSpec): Promise<SessionTrigger> =>
    client.create(sessionTriggers, {
      apiVersion: API_VERSION,
      kind: 'SessionTrigger',
      metadata: { name, namespace },
      spec,
    });
  const change = (name: string, spec: object): Promise<SessionTrigger> =>
    client.mergePatch(sessionTriggers, { namespace, name }, { spec });
  /** What is true of the trigger's condition Valid, once it is about the trigger as it stands. */
  const valid = (name: string, is: (text: string) => boolean): Promise<string> =>
    until(async () => {
      const { metadata, status } = await client.get(sessionTriggers, { namespace, name });
      if (status?.observedGeneration !== metadata.generation) return undefined;
      const condition = findCondition(status?.conditions, 'Valid');
      const text = `${condition?.status} ${condition?.reason}: ${condition?.message}`;
      return is(text) ? text : undefined;
    }, `trigger ${name} is told to be so`);
  const made = (name: string, trigger: string, user: string) => {
    const spec: Partial<SessionSpec> = {
      trigger: { source: 'github', event: 'pull_request', name: trigger, delivery: `delivery-of-${name}` },
      createdBy: { user },
    };
    return client.create(sessions, aSession(name).in(namespace).spec(spec).toCreate());
  };

  it('is told to be in effect, and what is wrong with it when it is changed', async () => {
    await create('review', SPEC);
    assert.match(
      await valid('review', (text) => text.startsWith('True')),
      /^True Valid: The trigger is in effect\.$/,
    );
    await change('review', { session: { framework: { config: { args: ['{{event.titel}}'] } } } });
    assert.match(
      await valid('review', (text) => text.startsWith('False')),
      /^False InvalidConfiguration: 1 mistake; it starts nothing\. spec\.session\.framework\.config\.args\[0\]: an event has no "titel"/,
    );
    await change('review', {
      enabled: false,
      session: { framework: { config: { args: ['{{event.title}}'] } } },
    });
    await valid('review', (text) => text === 'True Valid: The trigger is switched off.');
    const text = await cluster.kubectl(['get', 'strig', 'review', '-n', namespace]);
    assert.match(text, /review\s+github\s+\["pull_request"\]\s+generic\s+false\s+True/);
  });

  it('is right once its framework is there, and wrong when that goes', async () => {
    await create('later', { ...SPEC, session: { framework: { type: 'later' } } });
    assert.match(
      await valid('later', (text) => text.startsWith('False')),
      /there is no framework "later"\. This cluster has: .*generic/,
    );
    const framework = aFramework();
    await client.create(frameworks, {
      ...framework,
      metadata: { name: 'later' },
      spec: { ...framework.spec, command: ['true'], configSchema: { type: 'object' } },
    });
    try {
      await valid('later', (text) => text.startsWith('True Valid'));
    } finally {
      await client.delete(frameworks, { name: 'later' });
    }
    await valid('later', (text) => text.startsWith('False'));
  });

  it('counts the sessions that the operator made of it, and nobody else', async () => {
    await create('counted', SPEC);
    await made('theirs', 'counted', 'somebody');
    await made('ours-1', 'counted', operatorUser(OPERATOR_NAMESPACE));
    await made('other', 'another', operatorUser(OPERATOR_NAMESPACE));
    const status = await until(async () => {
      const found = await client.get(sessionTriggers, { namespace, name: 'counted' });
      return found.status?.lastMatched === undefined ? undefined : found.status;
    }, 'the session is counted');
    assert.equal(status.sessions?.total, 1);
    assert.equal(status.lastMatched?.session, 'ours-1');
    assert.equal(status.lastMatched.delivery, 'delivery-of-ours-1');
    const text = await cluster.kubectl(['get', 'strig', 'counted', '-n', namespace]);
    assert.match(text, /\d+s\s+\d+s\s*$/, 'when it matched last, and its age');
  });

  it('keeps saying what it matched last when that session is gone, and is left alone when nothing changes', async () => {
    await client.delete(sessions, { namespace, name: 'ours-1' });
    const settled = await until(async () => {
      const found = await client.get(sessionTriggers, { namespace, name: 'counted' });
      return found.status?.sessions?.total === 0 ? found : undefined;
    }, 'the session is gone');
    assert.equal(settled.status?.lastMatched?.session, 'ours-1');
    await made('theirs-2', 'counted', 'somebody');
    await create('settled', SPEC);
    await valid('settled', (text) => text.startsWith('True'));
    const after = await client.get(sessionTriggers, { namespace, name: 'counted' });
    assert.equal(after.metadata.resourceVersion, settled.metadata.resourceVersion);
  });

  it('warns whoever sets it of what is wrong, and takes it all the same', async () => {
    await using _operator = await replaced({ admission: true });
    const wrong: SessionTrigger = {
      apiVersion: API_VERSION,
      kind: 'SessionTrigger',
      metadata: { name: 'warned', namespace },
      spec: { ...SPEC, when: { events: ['issues'], branches: ['main'] } },
    };
    const warnings = await until(async () => {
      const path = resourcePath(sessionTriggers, { namespace, query: { dryRun: 'All' } });
      const { headers, body } = await client.connection.stream(path, { method: 'POST', body: wrong });
      body.resume();
      // Until the API server has heard of the webhook, nobody warns.
      return headers['warning'] === undefined ? undefined : String(headers['warning']);
    }, 'the webhook is asked');
    assert.match(warnings, /error: spec\.when\.branches issues has none/);
    assert.equal((await client.create(sessionTriggers, wrong)).metadata.name, 'warned');
  });

  async function replaced(options: { admission: boolean }): Promise<OperatorProcess> {
    await operator?.[Symbol.asyncDispose]();
    operator = undefined;
    return await runOperatorProcess(cluster, options);
  }
});
