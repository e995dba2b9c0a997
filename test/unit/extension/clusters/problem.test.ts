/** Refusals told to the person: by a rule of the operator's, or by RBAC. */
import assert from 'node:assert/strict';
import { KubeError } from '../../../../common/kube/errors.ts';
import { liveProblemOf } from '../../../../extension/clusters/problem.ts';

const refused = (status: number, code?: string): KubeError =>
  new KubeError('spec.framework.config.model is "gpt-5": spec.models.allowed does not cover it.', {
    status,
    reason: 'Forbidden',
    kubeStatus: {
      kind: 'Status',
      apiVersion: 'v1',
      status: 'Failure',
      details: { name: 's1', causes: code === undefined ? [] : [{ reason: code, message: '' }] },
    },
  });

describe('a refusal', () => {
  for (const [code, status, title, remedy] of [
    ['policy_violation', 403, /policy of the namespace forbids/, /Change the request/],
    ['approval_forbidden', 403, /leaves this decision to others/, /Ask one of the approvers/],
    ['audit_unavailable', 503, /could not be recorded/, /Check the audit store/],
  ] as const)
    it(`by ${code} is told with its own remedy, and without buttons that would not help`, () => {
      const problem = liveProblemOf(refused(status, code), 'dev');
      assert.match(problem.title, title);
      assert.match(problem.remedy, remedy);
      assert.match(problem.message, /gpt-5/);
      assert.deepEqual(problem.actions, []);
    });

  it('by RBAC is told as a missing right', () => {
    assert.match(liveProblemOf(refused(403), 'dev').remedy, /for the right named in the message/);
  });
});
