/** What a command is given to reach models, as a real runner gives it. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RunnerEndpoint } from '../../support/runner-endpoint.ts';
import { RunnerPod } from '../../support/runner-process.ts';

const SHOW = [
  process.execPath,
  '-e',
  `const { env } = process;
   const { A_URL, A_KEY, O_URL, O_KEY, AMBIENT_MODELS_TOKEN_FILE: file, SSL_CERT_FILE: ca } = env;
   const at = require('node:fs');
   console.log(JSON.stringify({ A_URL, A_KEY, O_URL, O_KEY, file }));
   at.copyFileSync(ca, 'trusted.pem');
   console.log(JSON.stringify(env).includes('a-token-that-nobody-else-has'));
   fetch(A_URL).then((answer) => console.log(answer.status), (error) => console.log(String(error.cause)));`,
];

describe('models for a command', function () {
  this.timeout(60_000);

  it('has addresses, a key of its own and the authority of the gateway beside those of the system', async () => {
    await using endpoint = await RunnerEndpoint.start();
    endpoint.models = (request, response) =>
      response.writeHead(request.url === '/models/anthropic' ? 218 : 404).end();
    const models = [
      { provider: 'anthropic', baseUrlEnv: 'A_URL', keyEnv: 'A_KEY' },
      { provider: 'openai', baseUrlEnv: 'O_URL', path: '/v1' },
    ] as const;
    // The framework's environment does not lead it elsewhere.
    const env = { A_URL: 'https://elsewhere.example', A_KEY: 'mine' };
    await using pod = await RunnerPod.make({ endpoint, description: { models: [...models], env } });
    await writeFile(join(pod.control, 'models-token'), 'for-models\n');
    const end = await pod.run(...SHOW);
    assert.equal(end.code, 0, end.stdout + end.stderr);
    const [seen, isTold, answered] = endpoint.texts('output', 'stdout');
    assert.deepEqual(JSON.parse(seen ?? ''), {
      A_URL: `${endpoint.url}/models/anthropic`,
      A_KEY: 'for-models',
      O_URL: `${endpoint.url}/models/openai/v1`,
      file: join(pod.control, 'models-token'),
    });
    const trusted = await readFile(join(pod.workspace, 'trusted.pem'), 'utf8');
    assert.ok(trusted.includes(endpoint.ca.trim()));
    const system = await readFile('/etc/ssl/certs/ca-certificates.crt', 'utf8').catch(() => '');
    assert.ok(trusted.startsWith(system));
    assert.deepEqual([isTold, answered], ['false', '218']);
  });

  it('has none of it where the framework uses no models', async () => {
    await using endpoint = await RunnerEndpoint.start();
    await using pod = await RunnerPod.make({ endpoint });
    await writeFile(join(pod.control, 'models-token'), 'for-models\n');
    await pod.run(process.execPath, '-e', 'console.log(JSON.stringify(process.env))');
    const [seen] = endpoint.texts('output', 'stdout');
    assert.doesNotMatch(seen ?? '', /for-models|MODELS_TOKEN|SSL_CERT_FILE/);
    assert.match(seen ?? '', /"AMBIENT_DESCRIPTION":"[^"]+session\.json"/);
  });

  it('fails with the reason when the key is missing', async () => {
    await using endpoint = await RunnerEndpoint.start();
    const models = [{ provider: 'openai', baseUrlEnv: 'O_URL' }] as const;
    await using pod = await RunnerPod.make({ endpoint, description: { models: [...models] } });
    const end = await pod.run('true');
    assert.equal(endpoint.results[0]?.outcome, 'RunnerError', end.stdout);
    assert.match(endpoint.results[0].message, /models-token/);
  });
});
