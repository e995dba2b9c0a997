import assert from 'node:assert/strict';
import type { NamespacePolicySpec } from '../../../../../common/api/namespace-policy.ts';
import type { RunDescription } from '../../../../../common/api/runner.ts';
import { admit } from '../../../../../common/rules/admission.ts';
import type { RunPlan } from '../../../../../common/rules/admission.ts';
import { effectivePolicy } from '../../../../../common/rules/policy/effective.ts';
import { narrowedPolicy } from '../../../../../common/rules/policy/narrow.ts';
import { buildJob } from '../../../../../operator/controllers/session/job.ts';
import { withSidecar } from '../../../../../operator/controllers/session/sidecar.ts';
import { describeRun } from '../../../../../operator/controllers/session/run-description.ts';
import { trimJob, trimSession } from '../../../../../operator/controllers/session/trim.ts';
import { isPayloadLeftOut } from '../../../../../operator/sessions/payload.ts';
import { aFramework, aSession } from '../../../../support/fixtures.ts';

const endpoint = { url: 'https://operator:8444', ca: 'PEM' };
const planOf = (session: ReturnType<typeof aSession>): RunPlan => {
  const admission = admit(session.build().spec, 100, [aFramework()]);
  assert.ok(admission.accepted);
  return admission.plan;
};
const policyOf = (spec: NamespacePolicySpec, session = aSession().build().spec) =>
  narrowedPolicy(session, effectivePolicy(spec));
const jobOf = (builder: ReturnType<typeof aSession>) =>
  buildJob(builder.build(), planOf(builder), '{"run":1}');

describe('the Job of a session', () => {
  it('is named and owned by the session alone', () => {
    const { metadata } = jobOf(aSession('s1').in('team-a'));
    assert.equal(metadata.name, 'ambient-uid-of-s1');
    assert.equal(metadata.namespace, 'team-a');
    assert.deepEqual(metadata.ownerReferences, [
      { apiVersion: 'ambient.ai/v1alpha1', kind: 'Session', name: 's1', uid: 'uid-of-s1', controller: true },
    ]);
  });

  it('runs a pod without rights, keys or a writable root', () => {
    const { spec } = jobOf(aSession()).spec.template;
    assert.equal(spec.automountServiceAccountToken, false);
    assert.equal(spec.enableServiceLinks, false);
    assert.equal(spec.serviceAccountName, 'ambient-runner');
    assert.equal(spec.securityContext?.runAsNonRoot, true);
    assert.deepEqual(spec.securityContext?.seccompProfile, { type: 'RuntimeDefault' });
    const [container] = spec.containers;
    assert.equal(spec.containers.length, 1);
    assert.deepEqual(container?.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    assert.deepEqual(
      container?.volumeMounts?.map(({ mountPath, readOnly }) => [mountPath, readOnly === true]),
      [
        ['/ambient', true],
        ['/workspace', false],
        ['/artifacts', false],
        ['/tmp', false],
      ],
    );
  });

  it('gives the command a token for the gateway only where its framework uses models, good to the end', () => {
    const tokensOf = (models: RunPlan['models']) => {
      const limits = { timeoutSeconds: 30_000, gracePeriodSeconds: 20 };
      const builder = aSession().spec({ limits });
      const { spec } = buildJob(builder.build(), { ...planOf(builder), models }, '{}').spec.template;
      const control = spec.volumes?.find(({ name }) => name === 'control');
      const tokens = control?.projected?.sources.flatMap(({ serviceAccountToken }) =>
        serviceAccountToken === undefined ? [] : [serviceAccountToken],
      );
      return { tokens, deadline: spec.activeDeadlineSeconds };
    };
    const plain = { audience: 'ambient', expirationSeconds: 3600, path: 'token' };
    assert.deepEqual(tokensOf([]).tokens, [plain]);
    const { tokens, deadline } = tokensOf([{ provider: 'anthropic', baseUrlEnv: 'URL' }]);
    assert.deepEqual(tokens, [
      plain,
      { audience: 'ambient-models', expirationSeconds: deadline, path: 'models-token' },
    ]);
  });

  it('puts the runner beside an image that has none, and keeps its token and description from the command', () => {
    const framework = aFramework('container', {
      versions: [{ name: '1', image: '{{config.image}}' }],
      sidecar: { image: 'ambient-runner:test' },
      command: ['{{config.command}}'],
      models: [{ provider: 'openai', baseUrlEnv: 'O_URL', path: '/v1', keyEnv: 'O_KEY' }],
    });
    const session = aSession('s1')
      .of('container', { image: 'example/any:1', command: ['a', 'b c'] })
      .build();
    const admission = admit(session.spec, 1, [framework]);
    assert.ok(admission.accepted);
    const { plan } = admission;
    const description = describeRun(session, plan, endpoint, policyOf({}));
    const { spec } = withSidecar(buildJob(session, plan, '{}'), plan, description).spec.template;
    const [sidecar] = spec.initContainers ?? [];
    const [command] = spec.containers;
    assert.deepEqual(
      [sidecar?.name, sidecar?.image, sidecar?.restartPolicy, command?.name, command?.image],
      ['sidecar', 'ambient-runner:test', 'Always', 'runner', 'example/any:1'],
    );
    assert.deepEqual(sidecar?.securityContext, command?.securityContext);
    const mounts = command?.volumeMounts?.map(({ name, mountPath }) => `${name} ${mountPath}`);
    assert.deepEqual(mounts, [
      'models /ambient',
      'workspace /workspace',
      'artifacts /artifacts',
      'command-temporary /tmp',
      'link /ambient-link',
    ]);
    const models = spec.volumes?.find(({ name }) => name === 'models');
    assert.deepEqual(
      models?.projected?.sources.map(({ serviceAccountToken }) => serviceAccountToken?.audience),
      ['ambient-models'],
    );
    const env = Object.fromEntries(command?.env?.map(({ name, value }) => [name, value]) ?? []);
    assert.equal(env['O_URL'], 'https://operator:8444/models/openai/v1');
    assert.equal(env['O_KEY'], undefined, 'a secret stands in no object');
    const [shell, , script = '', ...words] = command?.command ?? [];
    assert.deepEqual([shell, words], ['/bin/sh', ['session', 'a', 'b c']]);
    assert.match(script, /^export O_KEY="\$\(cat \/ambient\/models-token\)"$/m);
  });

  it('refuses an image that is none', () => {
    const framework = aFramework('container', { versions: [{ name: '1', image: '{{config.image}}' }] });
    for (const image of ['', 'a b', '-x', ['a', 'b'], undefined, 'x'.repeat(1025)]) {
      const config = { command: 'true', ...(image === undefined ? {} : { image }) };
      const admission = admit({ framework: { type: 'container', config } }, 1, [framework]);
      assert.equal(admission.accepted ? '' : admission.reason, 'InvalidConfig', String(image).slice(0, 20));
    }
  });

  it('leaves the runner its time before Kubernetes ends the pod', () => {
    const { spec } = jobOf(aSession().spec({ limits: { timeoutSeconds: 100, gracePeriodSeconds: 20 } })).spec
      .template;
    assert.ok((spec.activeDeadlineSeconds ?? 0) >= 100 + 20 + 60);
    assert.ok((spec.terminationGracePeriodSeconds ?? 0) >= 20 + 60);
  });

  it('asks for no more than the limits allow, and for no local storage unless it is limited', () => {
    const plain = jobOf(aSession()).spec.template.spec.containers[0]?.resources;
    assert.deepEqual(plain, {
      limits: { cpu: '2', memory: '2Gi' },
      requests: { cpu: '100m', memory: '128Mi' },
    });
    const limits = { timeoutSeconds: 9, gracePeriodSeconds: 9, cpu: '50m', memory: '32Mi', storage: '1Gi' };
    const small = jobOf(aSession().spec({ limits })).spec.template.spec;
    assert.deepEqual(small.containers[0]?.resources, {
      limits: { cpu: '50m', memory: '32Mi', 'ephemeral-storage': '1Gi' },
      requests: { cpu: '50m', memory: '32Mi', 'ephemeral-storage': '64Mi' },
    });
    assert.equal(small.volumes?.find(({ name }) => name === 'workspace')?.emptyDir?.sizeLimit, '1Gi');
  });

  it('leaves a restricted file system the workspace, the artifacts and a small place for temporary files', () => {
    const restricted = (builder: ReturnType<typeof aSession>) =>
      buildJob(builder.build(), planOf(builder), '{}', { fileSystem: true }).spec.template.spec;
    const { containers, volumes } = restricted(aSession());
    assert.deepEqual(
      containers[0]?.volumeMounts
        ?.filter(({ readOnly }) => readOnly !== true)
        .map(({ mountPath }) => mountPath),
      ['/workspace', '/artifacts', '/tmp'],
    );
    assert.deepEqual(containers[0]?.volumeMounts?.at(-1), {
      name: 'shared-memory',
      mountPath: '/dev/shm',
      readOnly: true,
    });
    const sizeOf = (name: string) => volumes?.find((volume) => volume.name === name)?.emptyDir?.sizeLimit;
    assert.deepEqual(['workspace', 'artifacts', 'temporary'].map(sizeOf), ['10Gi', '10Gi', '1Gi']);
    const limits = { timeoutSeconds: 9, gracePeriodSeconds: 9, storage: '100Mi' };
    const small = restricted(aSession().spec({ limits })).volumes;
    assert.equal(small?.find(({ name }) => name === 'temporary')?.emptyDir?.sizeLimit, '100Mi');
  });

  it('runs in the RuntimeClass that its policy gives it, and keeps it in mind', () => {
    const session = aSession();
    const inClass = (spec: NamespacePolicySpec, own?: string) => {
      const built = session.spec(own === undefined ? {} : { runtimeClassName: own }).build();
      const { restrictions, runtimeClass } = policyOf(spec, built.spec);
      const job = buildJob(built, planOf(session), '{}', restrictions, runtimeClass);
      return trimJob(job).spec.template.spec.runtimeClassName;
    };
    const runtimeClasses = { default: 'gvisor', allowed: ['kata'] };
    assert.equal(inClass({}), undefined);
    assert.equal(inClass({ isolation: { runtimeClasses } }), 'gvisor');
    assert.equal(inClass({ isolation: { runtimeClasses } }, 'kata'), 'kata');
  });

  it('passes a Kueue queue on and waits to be admitted', () => {
    const job = jobOf(aSession().labelled({ 'kueue.x-k8s.io/queue-name': 'team', other: 'x' }));
    assert.equal(job.spec.suspend, true);
    assert.equal(job.metadata.labels?.['kueue.x-k8s.io/queue-name'], 'team');
    assert.equal(job.metadata.labels?.['other'], undefined);
    assert.equal(jobOf(aSession()).spec.suspend, undefined);
  });

  it('keeps only what is read when it is held in memory', () => {
    const trimmed = trimJob(jobOf(aSession()));
    assert.ok(JSON.stringify(trimmed).length < 700);
    assert.equal(trimmed.spec.template.spec.containers[0]?.image, 'ambient-runner:test');
  });

  it('drops the payload of a session that has been looked at, and managed fields always', () => {
    const payload = { big: 'x'.repeat(1000) };
    const trigger = { source: 'github' as const, event: 'push', payload };
    const fresh = aSession().spec({ trigger }).build();
    fresh.metadata.managedFields = [{}];
    assert.deepEqual(trimSession(fresh).spec.trigger, trigger);
    assert.equal('managedFields' in fresh.metadata, false);
    const seen = trimSession(aSession().spec({ trigger }).pending().build());
    assert.equal(JSON.stringify(seen.spec.trigger), JSON.stringify({ source: 'github', event: 'push' }));
    assert.equal(isPayloadLeftOut(seen), true, 'it tells that there is one');
    assert.equal(isPayloadLeftOut(trimSession(aSession().pending().build())), false);
  });
});

describe('the run description', () => {
  it('says what policy restricts, and nothing where it restricts nothing', () => {
    const restrictions = { network: true, fileSystem: false, execution: true };
    const of = (tools: NamespacePolicySpec['tools']) =>
      describeRun(aSession().build(), planOf(aSession()), endpoint, policyOf({ tools })).restrictions;
    assert.deepEqual(of({ restrictions }), restrictions);
    assert.equal(of({ restrictions: { network: false } }), undefined);
    assert.equal(of(undefined), undefined);
  });

  it('says which tools policy and session leave, and which models are reached through the gateway', () => {
    const own = aSession().spec({ policy: { toolConstraints: { allowed: ['Read'], blocked: ['Write'] } } });
    const tools = { allowed: ['*'], blocked: ['Bash'] };
    const description = describeRun(
      own.build(),
      { ...planOf(own), models: [{ provider: 'openai', baseUrlEnv: 'URL', path: '/v1' }] },
      endpoint,
      policyOf({ tools }, own.build().spec),
    );
    assert.deepEqual(description.tools, { allowed: [['*'], ['Read']], blocked: ['Bash', 'Write'] });
    assert.deepEqual(description.models, [{ provider: 'openai', baseUrlEnv: 'URL', path: '/v1' }]);
  });

  it('tells the runner all it needs and nothing more', () => {
    const builder = aSession('s1')
      .in('team-a')
      .spec({
        source: {
          type: 'upload',
          upload: { sizeBytes: 5, digest: `sha256:${'0'.repeat(64)}`, name: 'my folder' },
        },
      });
    const description: RunDescription = describeRun(builder.build(), planOf(builder), endpoint, policyOf({}));
    assert.deepEqual(description, {
      apiVersion: 'runner.ambient.ai/v1alpha1',
      session: { namespace: 'team-a', name: 's1', uid: 'uid-of-s1' },
      framework: { type: 'generic', version: '1', config: { command: 'true' } },
      command: ['/bin/bash', '-c', 'true'],
      env: {},
      eventFormat: 'text',
      source: { type: 'upload', upload: { sizeBytes: 5, digest: `sha256:${'0'.repeat(64)}` } },
      limits: { timeoutSeconds: 3600, gracePeriodSeconds: 30 },
      endpoint,
    });
  });
});
