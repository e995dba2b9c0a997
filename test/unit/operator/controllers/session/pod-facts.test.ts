import assert from 'node:assert/strict';
import type { Pod } from '../../../../../common/kube/core-types.ts';
import { podFacts } from '../../../../../operator/controllers/session/pod-facts.ts';
import { trimPod } from '../../../../../operator/controllers/session/trim.ts';
import { aPod, aSession, NOW } from '../../../../support/fixtures.ts';

const session = aSession().build();
const now = Date.parse(NOW);
const brief = (pod: Pod, at = now) => {
  const { state, trouble, end, deleting } = podFacts(trimPod(pod), at);
  return [state, trouble?.kind, end?.kind, deleting];
};

describe('pod facts', () => {
  const cases: [string, Pod, unknown[]][] = [
    ['a pod nobody has taken', aPod(session).build(), ['waiting', undefined, undefined, false]],
    [
      'a container being made',
      aPod(session).waiting('ContainerCreating').build(),
      ['waiting', undefined, undefined, false],
    ],
    [
      'a pod no node can take',
      aPod(session).unschedulable('0/1 nodes').build(),
      ['waiting', 'unschedulable', undefined, false],
    ],
    [
      'an image that cannot be pulled',
      aPod(session).waiting('ErrImagePull').build(),
      ['waiting', 'image', undefined, false],
    ],
    [
      'the same, backed off',
      aPod(session).waiting('ImagePullBackOff').build(),
      ['waiting', 'image', undefined, false],
    ],
    [
      'an image name that is none',
      aPod(session).waiting('InvalidImageName').build(),
      ['waiting', 'hopeless', undefined, false],
    ],
    [
      'a container that cannot be made',
      aPod(session).waiting('CreateContainerConfigError').build(),
      ['waiting', 'container', undefined, false],
    ],
    ['a running pod', aPod(session).running().build(), ['running', undefined, undefined, false]],
    [
      'a pod being deleted',
      aPod(session).running().deleting().build(),
      ['running', undefined, 'Deleted', true],
    ],
    [
      'a deleted pod whose container ended',
      aPod(session).ended(143).deleting().build(),
      ['over', undefined, 'Deleted', true],
    ],
    ['success', aPod(session).ended(0).build(), ['over', undefined, undefined, false]],
    ['failure', aPod(session).ended(1).build(), ['over', undefined, undefined, false]],
    [
      'a deadline',
      aPod(session).running().failed('DeadlineExceeded').build(),
      ['over', undefined, 'Deadline', false],
    ],
    [
      'an eviction',
      aPod(session).running().failed('Evicted', 'disk').build(),
      ['over', undefined, 'Evicted', false],
    ],
    [
      'a node that was removed',
      aPod(session).running().failed('').disrupted('DeletionByPodGC').build(),
      ['over', undefined, 'NodeLost', false],
    ],
    [
      'a node that fell silent',
      aPod(session).running().disrupted('DeletionByTaintManager').deleting().build(),
      ['running', undefined, 'NodeLost', true],
    ],
    [
      'a preemption',
      aPod(session).running().disrupted('PreemptionByScheduler').build(),
      ['running', undefined, 'Evicted', false],
    ],
    [
      'a kubelet that refused',
      aPod(session).failed('OutOfcpu', 'no').build(),
      ['over', undefined, 'Evicted', false],
    ],
  ];
  for (const [name, pod, expected] of cases)
    it(`reads ${name}`, () => assert.deepEqual(brief(pod), expected));

  it('gives up on a pod that its node does not end in time', () => {
    const pod = aPod(session).running().deleting().build();
    assert.deepEqual(brief(pod, now + 29_000), ['running', undefined, 'Deleted', true]);
    assert.deepEqual(brief(pod, now + 31_000), ['over', undefined, 'NodeLost', true]);
  });

  it('quotes the kubelet and names the image', () => {
    const pod = aPod(session).waiting('ErrImagePull', 'not found').build();
    assert.equal(
      podFacts(pod, now).trouble?.message,
      'The image "ambient-runner:test" cannot be pulled (ErrImagePull): not found',
    );
  });
});
