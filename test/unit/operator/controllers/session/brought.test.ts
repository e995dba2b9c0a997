/** The pod of a session with credentials and inputs: Secrets are mounted where no agent runs, inputs where it cannot write. */
import assert from 'node:assert/strict';
import { admit } from '../../../../../common/rules/admission.ts';
import { withBrought } from '../../../../../operator/controllers/session/brought.ts';
import { buildJob } from '../../../../../operator/controllers/session/job.ts';
import { aFramework, aSession } from '../../../../support/fixtures.ts';

const podOf = (builder: ReturnType<typeof aSession>) => {
  const session = builder.build();
  const admission = admit(session.spec, 100, [aFramework()]);
  assert.ok(admission.accepted);
  const job = buildJob(session, admission.plan, '{}');
  return { before: job, after: withBrought(job, session) };
};

describe('what is brought into a pod', () => {
  it('leaves the Job of a session without any as it is', () => {
    const { before, after } = podOf(aSession());
    assert.equal(after, before);
  });

  it('mounts Secrets in the init container alone, and inputs read-only for the agent', () => {
    const { after } = podOf(
      aSession().spec({
        source: { type: 'git', git: { url: 'https://example.com/x.git', credentials: 'git-team' } },
        artifacts: {
          references: [
            { type: 's3', location: 's3://data/a', credentials: 'data' },
            { type: 's3', location: 's3://data/b', credentials: 'data' },
            { type: 'pvc', location: 'models/llama' },
          ],
        },
      }),
    );
    const { spec } = after.spec.template;
    const [init] = spec.initContainers ?? [];
    const [runner] = spec.containers;
    assert.deepEqual(init?.volumeMounts?.map(({ name, mountPath }) => `${name} ${mountPath}`).sort(), [
      'control /ambient',
      'git-credentials /ambient-git',
      'input-credentials-0 /ambient-inputs/data',
      'inputs /inputs',
      'temporary /tmp',
      'workspace /workspace',
    ]);
    assert.deepEqual(init.securityContext, runner?.securityContext);
    const secrets = new Set(
      spec.volumes?.filter(({ secret }) => secret !== undefined).map(({ name }) => name),
    );
    assert.equal(secrets.size, 2);
    assert.ok(runner?.volumeMounts?.every(({ name }) => !secrets.has(name)));
    assert.deepEqual(
      runner?.volumeMounts?.filter(({ mountPath }) => mountPath.startsWith('/inputs')),
      [
        { name: 'inputs', mountPath: '/inputs/a', subPath: 'a', readOnly: true },
        { name: 'inputs', mountPath: '/inputs/b', subPath: 'b', readOnly: true },
        { name: 'claim-3', mountPath: '/inputs/llama', readOnly: true, subPath: 'llama' },
      ],
    );
  });
});
