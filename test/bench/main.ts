/**
 * npm run bench [-- SECTION ...]: the figures of the README, with the bars they are held to.
 * A table on standard error, one JSON document on standard output. Figures are for reading, no test fails on them.
 */
import os from 'node:os';
import { admission } from './admission.ts';
import { activation } from './activation.ts';
import { budget } from './budget.ts';
import { audit } from './audit.ts';
import { bundles } from './bundles.ts';
import { gateway } from './gateway.ts';
import { burst } from './burst.ts';
import { latency } from './latency.ts';
import { logs } from './logs.ts';
import { meetsBar } from './measure.ts';
import type { Figure, Section } from './measure.ts';
import { rest } from './rest.ts';
import { scale } from './scale.ts';
import { tree } from './tree.ts';
import { warm } from './warm.ts';
import { webhooks } from './webhooks.ts';

const SECTIONS: Section[] = [
  ...[bundles, activation, tree],
  ...[latency, admission, burst, rest, webhooks, gateway, budget, scale, audit, logs, warm],
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !SECTIONS.some((section) => section.name === name));
if (unknown.length > 0) {
  console.error(`no section ${unknown.join(', ')}; there are ${SECTIONS.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

const line = ({ name, value, unit, bar, note }: Figure): string => {
  const held = meetsBar({ name, value, unit, ...(bar ? { bar } : {}) });
  const limit = bar === undefined ? '' : 'atMost' in bar ? `≤ ${bar.atMost}` : `≥ ${bar.atLeast}`;
  const mark = held === undefined ? ' ' : held ? '✔' : '✘';
  return `  ${mark} ${name.padEnd(58)} ${String(value).padStart(9)} ${unit.padEnd(8)} ${limit.padEnd(10)} ${note ?? ''}`;
};

const results: Record<string, Figure[] | { skipped: string }> = {};
for (const section of SECTIONS.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  console.error(`\n${section.name}`);
  const outcome = await section.run((text) => console.error(`    ${text}`));
  if (typeof outcome === 'string') {
    console.error(`  skipped: ${outcome}`);
    results[section.name] = { skipped: outcome };
  } else {
    for (const figure of outcome) console.error(line(figure));
    results[section.name] = outcome;
  }
}
const machine = {
  cpus: os.cpus().length,
  memoryGiB: Math.round(os.totalmem() / 1024 ** 3),
  node: process.version,
};
console.log(JSON.stringify({ date: new Date().toISOString(), machine, results }, undefined, 2));
process.exit(0);
