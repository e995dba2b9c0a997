/** Small commands that show something: the log, the details of a problem, more rows. */
import { isProblem } from '../clusters/problem.ts';
import type { Command } from './context.ts';

export const showOutput: Command =
  ({ output }) =>
  () =>
    output.show();

/** Without an argument: what the welcome view stands for. */
export const showProblem: Command =
  ({ notify, tree }) =>
  (given) => {
    const problem = isProblem(given) ? given : tree.problem;
    if (problem !== undefined) notify.problem(problem);
  };

/** The argument comes from the row "Show more…". */
export const showMore: Command = () => (row) => {
  if (isMore(row)) row.showMore();
};

const isMore = (row: unknown): row is { showMore: () => void } =>
  typeof row === 'object' && row !== null && typeof Reflect.get(row, 'showMore') === 'function';
