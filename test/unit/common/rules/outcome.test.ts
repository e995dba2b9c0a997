import assert from 'node:assert/strict';
import fc from 'fast-check';
import { RUN_OUTCOMES } from '../../../../common/api/runner.ts';
import { judge, stopped } from '../../../../common/rules/outcome.ts';
import type { PodEnd, RunFacts } from '../../../../common/rules/outcome.ts';
import { aResult } from '../../../support/fixtures.ts';

const facts = (more: Partial<RunFacts>): RunFacts => ({
  result: undefined,
  container: undefined,
  pod: undefined,
  stop: undefined,
  storageFull: false,
  limits: { timeoutSeconds: 90, memory: '1Gi' },
  ...more,
});
const container = (exitCode: number, reason = 'Error', message = '') => ({ exitCode, reason, message });
const pod = (kind: PodEnd['kind'], message = '') => ({ kind, message });
const stop = { requestedBy: 'ann', reason: 'enough' };

describe('outcome of a run', () => {
  const cases: [string, Partial<RunFacts>, string, RegExp][] = [
    ['success', { result: aResult('Succeeded', { exitCode: 0 }) }, 'Succeeded', /succeeded after 1 min/],
    [
      'success although the pod was deleted afterwards',
      { result: aResult('Succeeded'), pod: pod('Deleted'), container: container(137) },
      'Succeeded',
      /succeeded/,
    ],
    [
      'success although somebody wanted to stop it',
      { result: aResult('Succeeded'), stop },
      'Succeeded',
      /succeeded/,
    ],
    [
      'a command that failed',
      { result: aResult('CommandFailed', { exitCode: 3, message: 'exit code 3' }), container: container(3) },
      'CommandFailed',
      /exit code 3\. See the log/,
    ],
    [
      'a command that failed by itself before it was stopped',
      { result: aResult('CommandFailed', { exitCode: 3 }), stop },
      'CommandFailed',
      /./,
    ],
    [
      'a shell that did not find its command',
      { result: aResult('CommandFailed', { exitCode: 127 }) },
      'CommandNotFound',
      /Check its spelling/,
    ],
    [
      'a command that is not there',
      { result: aResult('CommandNotFound', { message: 'no "mkae" in PATH' }) },
      'CommandNotFound',
      /no "mkae" in PATH\. Check its spelling/,
    ],
    [
      'a command killed for its memory',
      { result: aResult('CommandFailed', { exitCode: 137 }), container: container(137, 'OOMKilled') },
      'OutOfMemory',
      /limit of 1Gi.*spec\.limits\.memory/,
    ],
    ['a runner killed for its memory', { container: container(137, 'OOMKilled') }, 'OutOfMemory', /1Gi/],
    [
      'a source that is not there',
      { result: aResult('SourceUnavailable', { message: 'cannot clone' }) },
      'SourceUnavailable',
      /cannot clone\. Check the source/,
    ],
    [
      "the runner's deadline",
      { result: aResult('DeadlineExceeded') },
      'DeadlineExceeded',
      /within 1 min 30 s.*timeoutSeconds/,
    ],
    [
      'the deadline of one that waited for a higher budget',
      { result: aResult('DeadlineExceeded'), paused: true },
      'DeadlineExceeded',
      /^Nobody raised the budget.* time limit of 1 min 30 s ended it\. Launch again with a higher budget\.$/,
    ],
    [
      "the pod's deadline",
      { pod: pod('Deadline'), container: container(137) },
      'DeadlineExceeded',
      /within 1 min 30 s/,
    ],
    [
      'a stop that the runner obeyed',
      { result: aResult('Stopped'), stop, container: container(143) },
      'Stopped',
      /^Stopped by ann: enough\.$/,
    ],
    ['a stop that ended the pod', { pod: pod('Deleted'), stop }, 'Stopped', /by ann/],
    ['a node lost while stopping', { pod: pod('NodeLost', 'node gone'), stop }, 'NodeLost', /node gone/],
    [
      'a pod deleted by somebody',
      { result: aResult('Stopped'), pod: pod('Deleted'), container: container(143) },
      'PodDeleted',
      /stop it instead of deleting its pod/,
    ],
    ['a pod that disappeared', {}, 'PodDeleted', /disappeared/],
    [
      'an eviction',
      { pod: pod('Evicted', 'low on memory'), container: container(137) },
      'Evicted',
      /low on memory\. Raise the limits/,
    ],
    ['a lost node', { pod: pod('NodeLost') }, 'NodeLost', /Launch again/],
    [
      'a full store',
      { result: aResult('ArtifactsIncomplete', { message: '3 files not stored' }), storageFull: true },
      'StorageFull',
      /3 files not stored.*enlarges/,
    ],
    [
      'a full store that took not even the result',
      { container: container(74), storageFull: true },
      'StorageFull',
      /store is full/,
    ],
    [
      'artifacts that could not be stored',
      { result: aResult('ArtifactsIncomplete') },
      'ArtifactsIncomplete',
      /launch again for the rest/,
    ],
    [
      'a runner that failed',
      { result: aResult('RunnerError', { message: 'token refused' }) },
      'RunnerFailed',
      /token refused.*not the command's fault/,
    ],
    [
      'a runner that fell silent',
      { container: container(1, 'Error', 'SyntaxError: x\n at y') },
      'RunnerFailed',
      /exit code 1.*SyntaxError: x at y/,
    ],
    [
      'an image that is no runner',
      { container: container(128, 'StartError', 'exec: "nope"') },
      'ContainerNotStarted',
      /nope.*framework's image/,
    ],
    ['a silent exit with a code of the contract', { container: container(124) }, 'DeadlineExceeded', /./],
  ];
  for (const [name, given, reason, message] of cases)
    it(`tells ${name}`, () => {
      const outcome = judge(facts(given));
      assert.equal(outcome.reason, reason);
      assert.match(outcome.message, message);
      assert.equal(outcome.phase, reason === 'Succeeded' ? 'Completed' : 'Failed');
    });

  it("passes the command's exit code on", () => {
    assert.equal(judge(facts({ result: aResult('CommandFailed', { exitCode: 3 }) })).exitCode, 3);
    assert.equal('exitCode' in judge(facts({})), false);
  });

  it('keeps text from outside on one line', () => {
    assert.equal(stopped({ requestedBy: 'a\nb', reason: 'x\u001b[2Jy' }).message, 'Stopped by a b: x [2Jy.');
    assert.equal(stopped({ requestedBy: 'a', reason: ' ' }).message, 'Stopped by a.');
  });

  it('is a matter of money when that was why it was stopped, and says what to do', () => {
    const stop = { requestedBy: 'system:ambient-operator', reason: 'It has spent 1.00 USD', isBudget: true };
    const outcome = judge(facts({ result: undefined, stop }));
    assert.equal(outcome.reason, 'BudgetExceeded');
    assert.match(outcome.message, /^It has spent 1\.00 USD\. Launch again with a higher budget/);
  });

  it('has a verdict with a message for whatever may be known', () => {
    const anything = fc.record({
      result: fc.option(
        fc.constantFrom(...RUN_OUTCOMES).map((outcome) => aResult(outcome)),
        { nil: undefined },
      ),
      container: fc.option(
        fc
          .tuple(
            fc.integer({ min: 0, max: 255 }),
            fc.constantFrom('Error', 'OOMKilled', 'Completed', 'StartError'),
          )
          .map(([code, reason]) => container(code, reason)),
        { nil: undefined },
      ),
      pod: fc.option(
        fc
          .constantFrom('Deadline' as const, 'Evicted' as const, 'NodeLost' as const, 'Deleted' as const)
          .map((kind) => pod(kind)),
        { nil: undefined },
      ),
      stop: fc.option(fc.constant(stop), { nil: undefined }),
      storageFull: fc.boolean(),
    });
    fc.assert(
      fc.property(anything, (given) => {
        const outcome = judge(facts(given));
        assert.ok(outcome.message.length > 10);
        assert.equal(outcome.phase === 'Completed', given.result?.outcome === 'Succeeded');
      }),
    );
  });
});
