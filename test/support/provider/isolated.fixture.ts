/** Runs where there is no network but this machine's own: a stand-in provider and one real agent that knows no other. */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { json, text } from 'node:stream/consumers';
import { once } from 'node:events';
import { Provider } from './provider.ts';
import type { IsolatedPlan, IsolatedRun } from './isolated.ts';

const plan = (await json(process.stdin)) as IsolatedPlan;
// Not below /tmp: one of the agents refuses a home there.
const folder = await mkdtemp('/var/tmp/agent-');
const workspace = join(folder, 'workspace');
await mkdir(workspace);

await using provider = await Provider.start({
  answer: (_asked, number) => {
    const answer = plan.answers[number - 1];
    const at = `${workspace}/`;
    const filled = JSON.stringify(answer ?? { text: 'That was all.', tokens: { input: 1, output: 1 } });
    return JSON.parse(filled.replaceAll('{{workspace}}/', at)) as IsolatedPlan['answers'][number];
  },
});
const fill = (value: string): string =>
  value
    .replaceAll('{{provider}}', `http://127.0.0.1:${provider.port}`)
    .replaceAll('{{home}}', folder)
    .replaceAll('{{workspace}}', workspace);
for (const [name, content] of Object.entries(plan.files)) {
  await mkdir(dirname(join(folder, name)), { recursive: true });
  await writeFile(join(folder, name), fill(content));
}
const [program = '', ...args] = plan.argv.map(fill);
const child = spawn(program, args, {
  cwd: workspace,
  // Built from nothing: no key and no address of the machine can be in it.
  env: {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOME: folder,
    ...Object.fromEntries(Object.entries(plan.env).map(([name, value]) => [name, fill(value)])),
  },
  stdio: ['ignore', 'pipe', 'pipe'],
});
const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
const result: IsolatedRun = {
  ...{ stdout, stderr, workspace, code: child.exitCode },
  ...{ asked: provider.asked, strays: provider.strays },
};
await rm(folder, { recursive: true, force: true });
process.stdout.write(JSON.stringify(result));
