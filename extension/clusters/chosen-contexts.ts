/** Which of the kubeconfig's contexts are shown and asked about, and what it means that there is none. Pure. */
import type { ContextInfo, Kubeconfig } from '../../common/kube/kubeconfig.ts';
import { NoContexts, problemOf } from './problem.ts';
import type { Problem } from './problem.ts';

type Known = Pick<Kubeconfig, 'contexts' | 'currentContext' | 'files' | 'problems'>;

/** The contexts to show: those chosen, in that order, or else the current one. */
export function chosenContexts(
  kubeconfig: Pick<Known, 'contexts' | 'currentContext'>,
  chosen: readonly string[],
): ContextInfo[] {
  const names = chosen.length > 0 ? chosen : [kubeconfig.currentContext];
  return names.flatMap((name) => kubeconfig.contexts.find((context) => context.name === name) ?? []);
}

/** The same for what needs one at least. Throws NoContexts. */
export function someChosenContexts(kubeconfig: Known, chosen: readonly string[]): ContextInfo[] {
  const shown = chosenContexts(kubeconfig, chosen);
  if (shown.length === 0) throw new NoContexts(noContextsProblem(kubeconfig, chosen));
  return shown;
}

/** What a person can choose from: the contexts that are shown, or else all. Throws NoContexts. */
export function offeredContexts(kubeconfig: Known, chosen: readonly string[]): ContextInfo[] {
  const shown = chosenContexts(kubeconfig, chosen);
  if (shown.length > 0) return shown;
  if (kubeconfig.contexts.length === 0) throw new NoContexts(noContextsProblem(kubeconfig, chosen));
  return kubeconfig.contexts;
}

/** Why no context is shown. */
export function noContextsProblem(kubeconfig: Known, chosen: readonly string[]): Problem {
  const [first] = kubeconfig.problems;
  if (kubeconfig.contexts.length === 0 && first !== undefined) return problemOf(first, '');
  const files = kubeconfig.files.join(', ');
  return kubeconfig.contexts.length === 0
    ? {
        kind: 'noKubeconfig',
        title: 'No kubeconfig',
        message: `No context is defined in ${files}.`,
        remedy: 'Create the file, or name another one in the setting ambient.kubeconfig.',
        actions: [
          {
            title: 'Open Setting',
            command: 'workbench.action.openSettings',
            arguments: ['ambient.kubeconfig'],
          },
        ],
      }
    : {
        kind: 'noContext',
        title: 'No context chosen',
        message:
          chosen.length > 0
            ? `${files} has no context ${chosen.join(', ')}.`
            : `${files} names no current context.`,
        remedy: 'Select the contexts to show.',
        actions: [{ title: 'Select Contexts…', command: 'ambient.selectContexts' }],
      };
}
