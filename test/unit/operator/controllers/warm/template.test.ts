import assert from 'node:assert/strict';
import {
  ANNOTATION_RUN,
  LABEL_KUEUE_QUEUE,
  LABEL_SESSION,
  LABEL_SESSION_UID,
  LABEL_WARM,
  MODELS_TOKEN_AUDIENCE,
} from '../../../../../common/api/names.ts';
import type { FrameworkSpec } from '../../../../../common/api/framework.ts';
import type { NamespacePolicySpec } from '../../../../../common/api/namespace-policy.ts';
import { DEFAULT_GRACE_SECONDS, DEFAULT_TIMEOUT_SECONDS } from '../../../../../common/api/session.ts';
import type { SessionSpec } from '../../../../../common/api/session.ts';
import { admit } from '../../../../../common/rules/admission.ts';
import { effectivePolicy } from '../../../../../common/rules/policy/effective.ts';
import { narrowedPolicy } from '../../../../../common/rules/policy/narrow.ts';
import { WARM_AGE_MS } from '../../../../../common/rules/warm-pods.ts';
import { templateOf } from '../../../../../operator/controllers/warm/template.ts';
import { warmJob } from '../../../../../operator/controllers/warm/warm-job.ts';
import { wishesOf } from '../../../../../operator/controllers/warm/wishes.ts';
import { aFramework, aPolicy, aSession } from '../../../../support/fixtures.ts';
import type { SessionBuilder } from '../../../../support/fixtures.ts';

const endpoint = { url: 'https://operator', ca: 'PEM' };
const MODELS: Partial<FrameworkSpec> = { models: [{ provider: 'anthropic', baseUrlEnv: 'URL' }] };
const usual = (): SessionBuilder => aSession('it').in('team-a').of('generic', { command: 'echo it' });

const limits = (own: Partial<NonNullable<SessionSpec['limits']>>): NonNullable<SessionSpec['limits']> => ({
  timeoutSeconds: DEFAULT_TIMEOUT_SECONDS,
  gracePeriodSeconds: DEFAULT_GRACE_SECONDS,
  ...own,
});

function digestOf(
  builder: SessionBuilder,
  framework: Partial<FrameworkSpec> = {},
  policy: NamespacePolicySpec = {},
): string | undefined {
  const session = builder.build();
  const admission = admit(session.spec, 100, [aFramework('generic', framework)]);
  assert.ok(admission.accepted);
  return templateOf(session, admission.plan, narrowedPolicy(session.spec, effectivePolicy(policy)), endpoint)
    ?.digest;
}

function wishOf(framework: Partial<FrameworkSpec> = {}, spec: NamespacePolicySpec = {}) {
  const policy = aPolicy('team-a', { ...spec, warmPods: [{ framework: 'generic', count: 1 }] });
  const [wish] = wishesOf(policy, [aFramework('generic', framework)], effectivePolicy(spec), endpoint);
  assert.ok(wish?.template, wish?.message);
  return { policy, template: wish.template };
}

describe('the pod of a session beside what is the session’s own', () => {
  it('is what the policy has kept ready, whoever the session is and whatever it runs', () => {
    const kept = wishOf().template.digest;
    assert.match(kept, /^[0-9a-f]{32}$/);
    assert.equal(digestOf(usual()), kept);
    assert.equal(digestOf(aSession('other').in('team-a').of('generic', { command: 'ls' })), kept);
    assert.equal(digestOf(usual().spec({ limits: limits({ timeoutSeconds: 60 }) })), kept);
    assert.equal(
      digestOf(usual().spec({ displayName: 'x', source: { type: 'git', git: { url: 'https://x/y' } } })),
      kept,
    );
  });

  it('is the same with models and a shorter time, and another where its key would have to live longer', () => {
    const kept = wishOf(MODELS).template.digest;
    assert.equal(digestOf(usual().spec({ limits: limits({ timeoutSeconds: 60 }) }), MODELS), kept);
    assert.notEqual(digestOf(usual().spec({ limits: limits({ timeoutSeconds: 7200 }) }), MODELS), kept);
    assert.equal(
      digestOf(usual().spec({ limits: limits({ timeoutSeconds: 7200 }) })),
      wishOf().template.digest,
    );
  });

  it('is another with whatever stands in the pod', () => {
    const kept = wishOf().template.digest;
    const others: [string, string | undefined][] = [
      ['memory', digestOf(usual().spec({ limits: limits({ memory: '3Gi' }) }))],
      ['grace', digestOf(usual().spec({ limits: limits({ gracePeriodSeconds: 5 }) }))],
      ['image', digestOf(usual(), { versions: [{ name: '1', image: 'example/newer' }] })],
      ['models', digestOf(usual(), MODELS)],
      ['file system', digestOf(usual(), {}, { tools: { restrictions: { fileSystem: true } } })],
      ['runtime', digestOf(usual(), {}, { isolation: { runtimeClasses: { default: 'gvisor' } } })],
    ];
    for (const [what, digest] of others) assert.notEqual(digest, kept, what);
    const set = others.map(([, digest]) => digest);
    assert.equal(new Set(set).size, set.length);
  });

  it('is nobody else’s where something comes before, or the pod waits for a queue', () => {
    const queued = usual().build();
    queued.metadata.labels = { [LABEL_KUEUE_QUEUE]: 'q' };
    const admission = admit(queued.spec, 100, [aFramework()]);
    assert.ok(admission.accepted);
    const policy = narrowedPolicy(queued.spec, effectivePolicy(undefined));
    assert.equal(templateOf(queued, admission.plan, policy, endpoint), undefined);
    const git = { url: 'https://x/y', credentials: 'secret' };
    assert.equal(digestOf(usual().spec({ source: { type: 'git', git } })), undefined);
    assert.equal(digestOf(usual(), { sidecar: { image: 'example/runner' } }), undefined);
  });
});

describe('the Job of a pod that is kept ready', () => {
  it('is the policy’s, has nobody’s name, and waits', () => {
    const { policy, template } = wishOf();
    const { metadata, spec } = warmJob(template, policy, endpoint, () => 0.5);
    assert.equal(metadata.name, `ambient-warm-${template.digest.slice(0, 8)}-iiiiiiiiii`);
    assert.deepEqual(
      metadata.ownerReferences?.map(({ kind, uid }) => `${kind} ${uid}`),
      ['NamespacePolicy policy-of-team-a'],
    );
    for (const labels of [metadata.labels, spec.template.metadata?.labels]) {
      assert.deepEqual(
        [labels?.[LABEL_SESSION], labels?.[LABEL_SESSION_UID], labels?.[LABEL_WARM]],
        ['', '', template.digest],
      );
    }
    const run: unknown = JSON.parse(spec.template.metadata?.annotations?.[ANNOTATION_RUN] ?? '');
    assert.deepEqual(run, { apiVersion: 'runner.ambient.ai/v1alpha1', waits: true, endpoint });
    assert.equal(spec.template.spec.activeDeadlineSeconds, undefined);
  });

  it('has a key to models that is good for the session after it has waited', () => {
    const { policy, template } = wishOf(MODELS);
    const secondsOf = ({ spec }: typeof template.job): number =>
      spec.template.spec.volumes
        ?.flatMap(({ projected }) => projected?.sources ?? [])
        .find(({ serviceAccountToken }) => serviceAccountToken?.audience === MODELS_TOKEN_AUDIENCE)
        ?.serviceAccountToken?.expirationSeconds ?? 0;
    const kept = warmJob(template, policy, endpoint, () => 0);
    assert.ok(secondsOf(kept) >= secondsOf(template.job) + WARM_AGE_MS / 1000);
  });
});
