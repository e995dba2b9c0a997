/**
 * Runs where there is no network but this machine's own: a runner with a real agent, and what it finds at the operator's address,
 * where models are a stand-in behind the operator's own kind of certificate.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { json } from 'node:stream/consumers';
import { MEMORY_ARCHIVE } from '../../../common/api/runner.ts';
import { RunnerEndpoint } from '../runner-endpoint.ts';
import { RunnerPod } from '../runner-process.ts';
import { Provider } from './provider.ts';
import type { SessionPlan, SessionRun } from './isolated.ts';

const plan = (await json(process.stdin)) as SessionPlan;
await using endpoint = await RunnerEndpoint.start();
await using provider = await Provider.start({
  answer: (_asked, number) =>
    plan.answers[number - 1] ?? { text: 'That was all.', tokens: { input: 1, output: 1 } },
});
endpoint.models = (request, response) => {
  request.url = request.url?.replace(/^\/models\/[a-z]+/, '');
  provider.take(request, response);
};
for (const [name, content] of Object.entries(plan.resumed ?? {}))
  endpoint.resumed.set(name, Buffer.from(content, 'base64'));
await using pod = await RunnerPod.make({
  endpoint,
  description: plan.description,
  env: { PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin` },
});
await writeFile(join(pod.control, 'models-token'), `${plan.token}\n`);
for (const [name, content] of Object.entries(plan.files)) {
  await mkdir(dirname(join(pod.workspace, name)), { recursive: true });
  await writeFile(join(pod.workspace, name), content);
}
const talking = (async () => {
  for (const { afterAsked = 0, afterQuestions = 0, ...said } of plan.said ?? []) {
    // The answer has come through as well when the runner has its tokens.
    await endpoint.until(
      () =>
        endpoint.records.filter(({ type }) => type === 'usage').length >= afterAsked &&
        endpoint.records.filter(({ type }) => type === 'question').length >= afterQuestions,
      60_000,
    );
    endpoint.say(said);
  }
})();
const { code, stdout, stderr } = await pod.run(...plan.command);
await talking;
const names = await readdir(pod.workspace);
const texts = await Promise.all(
  names.map((name) => readFile(join(pod.workspace, name), 'utf8').catch(() => '')),
);
const memory = endpoint.artifacts.get(MEMORY_ARCHIVE)?.content;
const result: SessionRun = {
  ...{ code, stdout, stderr, asked: provider.asked, strays: provider.strays, records: endpoint.records },
  result: endpoint.results[0],
  violations: endpoint.violations,
  files: Object.fromEntries(names.map((name, index) => [name, texts[index] ?? ''])),
  patch: endpoint.artifacts.get('changes.patch')?.content?.toString() ?? '',
  ...(memory === undefined ? {} : { memory: memory.toString('base64') }),
};
process.stdout.write(JSON.stringify(result));
