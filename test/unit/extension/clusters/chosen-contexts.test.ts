/** Which contexts are shown and offered, and what is told where there is none. */
import assert from 'node:assert/strict';
import type { ContextInfo } from '../../../../common/kube/kubeconfig.ts';
import { AmbientError } from '../../../../common/errors.ts';
import {
  chosenContexts,
  offeredContexts,
  someChosenContexts,
} from '../../../../extension/clusters/chosen-contexts.ts';
import { liveProblemOf, NoContexts } from '../../../../extension/clusters/problem.ts';
import { aContext } from '../tree/fixture.ts';

const kubeconfig = (names: string[], currentContext?: string, problems: AmbientError[] = []) => ({
  contexts: names.map((name) => aContext(name, { isCurrent: name === currentContext })),
  ...(currentContext === undefined ? {} : { currentContext }),
  files: ['/home/someone/.kube/config'],
  problems,
});
const names = (contexts: readonly ContextInfo[]): string[] => contexts.map(({ name }) => name);
const problemAt = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof NoContexts);
    return liveProblemOf(error, '');
  }
  throw new Error('nothing was thrown');
};

describe('contexts', () => {
  it('are the chosen ones in their order, or else the current one', () => {
    assert.deepEqual(names(chosenContexts(kubeconfig(['a', 'b', 'c'], 'b'), ['c', 'gone', 'a'])), ['c', 'a']);
    assert.deepEqual(names(chosenContexts(kubeconfig(['a', 'b'], 'b'), [])), ['b']);
    assert.deepEqual(names(chosenContexts(kubeconfig(['a', 'b']), [])), []);
  });

  it('are all offered where none is shown', () => {
    assert.deepEqual(names(offeredContexts(kubeconfig(['a', 'b'], 'b'), [])), ['b']);
    assert.deepEqual(names(offeredContexts(kubeconfig(['a', 'b']), [])), ['a', 'b']);
    assert.deepEqual(names(offeredContexts(kubeconfig(['a', 'b'], 'a'), ['gone'])), ['a', 'b']);
  });

  it('that are not there are told with the file and what to do', () => {
    const problem = problemAt(() => offeredContexts(kubeconfig([]), []));
    assert.equal(problem.kind, 'noKubeconfig');
    assert.match(problem.message, /No context is defined in \/home\/someone\/\.kube\/config/);
    assert.deepEqual(
      problem.actions.map(({ title }) => title),
      ['Open Setting'],
    );
  });

  it('that cannot be read are told with the reason', () => {
    const broken = new AmbientError('kubeconfig_invalid', 'line 3 is not YAML');
    const problem = problemAt(() => offeredContexts(kubeconfig([], undefined, [broken]), []));
    assert.equal(problem.kind, 'kubeconfigInvalid');
    assert.match(problem.message, /line 3/);
  });

  it('of which none is shown are told with the button that chooses', () => {
    const undecided = problemAt(() => someChosenContexts(kubeconfig(['a', 'b']), []));
    assert.equal(undecided.kind, 'noContext');
    assert.match(undecided.message, /names no current context/);
    const gone = problemAt(() => someChosenContexts(kubeconfig(['a', 'b'], 'a'), ['gone']));
    assert.match(gone.message, /has no context gone/);
    assert.deepEqual(
      gone.actions.map(({ command }) => command),
      ['ambient.selectContexts'],
    );
  });
});
