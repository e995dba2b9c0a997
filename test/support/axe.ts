/** What axe finds wrong with a page as it is now: each element with what to mend. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AxeResults, RunOptions } from 'axe-core';
import type { Page } from 'playwright-core';

const SCRIPT = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
let script: Promise<string> | undefined;

export async function axeProblems(page: Page): Promise<string[]> {
  // Not as a script element, which the policies of our pages refuse.
  await page.evaluate(await (script ??= readFile(SCRIPT, 'utf8')));
  // Of what passes it need not name every element, which takes as long again.
  const { violations } = await page.evaluate(() =>
    (window as unknown as { axe: { run(options: RunOptions): Promise<AxeResults> } }).axe.run({
      resultTypes: ['violations'],
    }),
  );
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`),
  );
}
