import assert from 'node:assert/strict';
import type { Job, Pod } from '../../../../../common/kube/core-types.ts';
import { isNews, trimJob, trimPod } from '../../../../../operator/controllers/session/trim.ts';
import { aJob, aPod, aSession } from '../../../../support/fixtures.ts';

const session = aSession().build();

/** As a watch brings it after another write. */
const written = <T extends Job | Pod>(object: T, resourceVersion: string, labels = {}): T => ({
  ...object,
  metadata: {
    ...object.metadata,
    resourceVersion,
    finalizers: [resourceVersion],
    labels: { ...object.metadata.labels, ...labels },
  },
});
const jobNews = (before: Job, after: Job): boolean =>
  isNews(trimJob(written(after, '2')), trimJob(written(before, '1')));
const podNews = (before: Pod, after: Pod): boolean =>
  isNews(trimPod(written(after, '2')), trimPod(written(before, '1')));

describe('news of a workload', () => {
  it('is what is seen for the first time', () => {
    assert.equal(isNews(trimJob(aJob(session)), undefined), true);
  });

  it('is not what only counts pods, sets finalizers or labels', () => {
    const job = aJob(session, {});
    assert.equal(
      jobNews(job, aJob(session, { active: 1, ready: 1, startTime: '2030-01-01T00:00:00Z' })),
      false,
    );
    const met = [{ type: 'SuccessCriteriaMet', status: 'True' as const }];
    assert.equal(jobNews(aJob(session, { conditions: [] }), aJob(session, { conditions: met })), false);
    const pod = aPod(session).running().build();
    assert.equal(podNews(pod, pod), false);
    const labelled = written(pod, '3', { 'topology.example/zone': 'a' });
    assert.equal(isNews(trimPod(labelled), trimPod(pod)), false);
  });

  it('is the end of a Job, its suspension, and that it is being deleted', () => {
    const job = aJob(session);
    assert.equal(jobNews(job, aJob(session, { conditions: [{ type: 'Complete', status: 'True' }] })), true);
    assert.equal(jobNews(job, { ...job, spec: { ...job.spec, suspend: true } }), true);
    const deleting = { ...job, metadata: { ...job.metadata, deletionTimestamp: '2030-01-01T00:00:00Z' } };
    assert.equal(jobNews(job, deleting), true);
  });

  it('is every step of a pod', () => {
    const steps = [
      aPod(session).build(),
      aPod(session).unschedulable('0/1 nodes').build(),
      aPod(session).waiting('ErrImagePull', 'first').build(),
      aPod(session).waiting('ErrImagePull', 'second').build(),
      aPod(session).running().build(),
      aPod(session).ended(0).build(),
      aPod(session).ended(1).build(),
      aPod(session).ended(1).deleting().build(),
    ];
    for (const [index, after] of steps.entries()) {
      const before = steps[index - 1];
      if (before !== undefined) assert.equal(podNews(before, after), true, `step ${index}`);
    }
  });
});
