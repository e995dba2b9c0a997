import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KubeError } from '../../../../common/kube/errors.ts';
import { ExecPlugin } from '../../../../common/kube/exec-plugin.ts';
import type { ExecConfig } from '../../../../common/kube/exec-plugin.ts';

const API = 'client.authentication.k8s.io/v1';
const never = new AbortController().signal;

describe('a credential plugin', function () {
  this.timeout(20_000);
  let directory: string;
  let time: number;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'exec-plugin-'));
    time = Date.parse('2026-01-01T00:00:00Z');
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  /** A plugin whose program is `source`; it may call `print(status)` and `count()`, which tells its how-manieth run it is. */
  async function plugin(source: string, config: ExecConfig = {}, timeoutMs = 10_000): Promise<ExecPlugin> {
    const script = join(directory, 'plugin.mjs');
    await writeFile(
      script,
      `import fs from 'node:fs';
      import { spawn } from 'node:child_process';
      const count = () => { fs.appendFileSync('${directory}/runs', 'x'); return fs.readFileSync('${directory}/runs').length; };
      const print = (status) => console.log(JSON.stringify({ apiVersion: '${API}', kind: 'ExecCredential', status }));
      ${source}`,
    );
    return new ExecPlugin({
      config: {
        apiVersion: API,
        command: process.execPath,
        args: [script],
        interactiveMode: 'Never',
        ...config,
      },
      owner: 'user "u" in /k',
      env: process.env,
      timeoutMs,
      clusterInfo: { server: 'https://c' },
      now: () => time,
    });
  }
  const runs = async (): Promise<number> => (await readFile(join(directory, 'runs'))).length;
  const failsWith = (says: RegExp, remedy?: RegExp) => (error: unknown) => {
    assert.ok(error instanceof KubeError, String(error));
    assert.equal(error.reason, 'CredentialsFailed');
    assert.equal(error.code, 'credentials_failed');
    assert.match(error.message, says);
    assert.match(error.message, /user "u" in \/k/);
    if (remedy !== undefined) assert.match(error.remedy, remedy);
    return true;
  };
  const isAlive = (pid: number): boolean => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };
  async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = performance.now() + 10_000;
    while (!(await condition())) {
      assert.ok(performance.now() < deadline, `not in time: ${what}`);
      await sleep(20);
    }
  }

  it('is run once for all who ask at the same time, and again when its token has expired', async () => {
    const exec = await plugin(
      `print({ token: 't' + count(), expirationTimestamp: '2026-01-01T01:00:00Z' });`,
    );
    const all = await Promise.all([1, 2, 3].map(() => exec.authorization(never)));
    assert.deepEqual(all, ['Bearer t1', 'Bearer t1', 'Bearer t1']);
    time += 59 * 60_000;
    assert.equal(await exec.authorization(never), 'Bearer t1');
    time += 60_000;
    assert.equal(await exec.authorization(never), 'Bearer t2');
    assert.equal(await runs(), 2);
  });

  it('is run again after a refusal, but not at every one', async () => {
    const exec = await plugin(`print({ token: 't' + count() });`);
    assert.equal(await exec.authorization(never), 'Bearer t1');
    time += 365 * 86_400_000;
    assert.equal(await exec.authorization(never), 'Bearer t1');
    assert.equal(exec.invalidate('Bearer t1'), true);
    assert.equal(await exec.authorization(never), 'Bearer t2');
    // A late answer to the first token says nothing about the second.
    assert.equal(exec.invalidate('Bearer t1'), true);
    assert.equal(await exec.authorization(never), 'Bearer t2');
    assert.equal(exec.invalidate('Bearer t2'), false);
    time += 30_000;
    assert.equal(exec.invalidate('Bearer t2'), true);
    assert.equal(await exec.authorization(never), 'Bearer t3');
  });

  it('may give a client certificate', async () => {
    const exec = await plugin(`print({ clientCertificateData: 'C', clientKeyData: 'K' });`);
    assert.deepEqual(await exec.certificate(never), { cert: 'C', key: 'K' });
    assert.equal(await exec.authorization(never), undefined);
  });

  it('learns the cluster when it wants to, its own variables, and that there is no terminal', async () => {
    const exec = await plugin(
      `const info = JSON.parse(process.env.KUBERNETES_EXEC_INFO);
      print({ token: JSON.stringify([info, process.env.EXTRA, fs.readFileSync(0).length, process.env.PATH !== undefined]) });`,
      { provideClusterInfo: true, env: [{ name: 'EXTRA', value: 'yes' }], interactiveMode: 'IfAvailable' },
    );
    const token = ((await exec.authorization(never)) ?? '').replace('Bearer ', '');
    assert.deepEqual(JSON.parse(token), [
      {
        apiVersion: API,
        kind: 'ExecCredential',
        spec: { interactive: false, cluster: { server: 'https://c' } },
      },
      'yes',
      0,
      true,
    ]);
  });

  it('that hangs is ended in time with everything it started, and its last words are told', async () => {
    const exec = await plugin(
      `process.on('SIGTERM', () => {});
      const child = spawn('sleep', ['600'], { stdio: 'inherit' });
      fs.writeFileSync('${directory}/pids', process.pid + ' ' + child.pid);
      console.error('open https://login.example in a browser');
      setInterval(() => {}, 1000);`,
      {},
      1_500,
    );
    const from = performance.now();
    await assert.rejects(
      exec.authorization(never),
      failsWith(
        /did not finish within 1.5 s and was stopped; it said: open https:\/\/login.example/,
        /in a terminal/,
      ),
    );
    assert.ok(performance.now() - from < 15_000);
    const pids = (await readFile(join(directory, 'pids'), 'utf8')).split(' ').map(Number);
    assert.equal(pids.length, 2);
    await until('both processes gone', () => pids.every((pid) => !isAlive(pid)));
  });

  it('is ended when the connection is closed', async () => {
    const exec = await plugin(
      `fs.writeFileSync('${directory}/pid', '' + process.pid); setInterval(() => {}, 1000);`,
    );
    const asked = exec.authorization(never);
    const closed = assert.rejects(
      asked,
      (error: unknown) => error instanceof KubeError && error.reason === 'Closed',
    );
    const pid = async () => Number(await readFile(join(directory, 'pid'), 'utf8').catch(() => ''));
    await until('it runs', async () => (await pid()) > 0);
    exec.close();
    await closed;
    const it = await pid();
    await until('it is gone', () => !isAlive(it));
  });

  it('goes on for others when one who waits gives up', async () => {
    const exec = await plugin(`count(); setTimeout(() => print({ token: 't' }), 300);`);
    const impatient = new AbortController();
    const first = exec.authorization(impatient.signal);
    const second = exec.authorization(never);
    impatient.abort(new Error('had enough'));
    await assert.rejects(first, /had enough/);
    assert.equal(await second, 'Bearer t');
    assert.equal(await runs(), 1);
  });

  it('that fails tells its exit code, stderr and install hint, and is left alone for a while', async () => {
    const exec = await plugin(`count(); console.error('session has expired'); process.exit(3);`, {
      installHint: 'Run `cloud login`.',
    });
    const says = failsWith(/ended with exit code 3; it said: session has expired/, /^Run `cloud login`\.$/);
    await assert.rejects(exec.authorization(never), says);
    await assert.rejects(exec.authorization(never), says);
    assert.equal(await runs(), 1);
    time += 5_000;
    await assert.rejects(exec.authorization(never), says);
    assert.equal(await runs(), 2);
  });

  it('that is not there, speaks another version or needs a terminal is named', async () => {
    const missing = await plugin('', { command: 'no-such-plugin-anywhere', installHint: 'Install it.' });
    await assert.rejects(missing.authorization(never), failsWith(/is not installed/, /Install it/));
    const old = await plugin('', { apiVersion: 'client.authentication.k8s.io/v1alpha1' });
    await assert.rejects(old.authorization(never), failsWith(/v1alpha1/, /Update the plugin/));
    const terminal = await plugin('', { interactiveMode: 'Always' });
    await assert.rejects(terminal.authorization(never), failsWith(/no terminal here/, /IfAvailable/));
    const nameless = await plugin('', { command: '' });
    await assert.rejects(nameless.authorization(never), failsWith(/has no command/));
  });

  it('that prints nonsense is refused without repeating what may be a secret', async () => {
    const cases: [string, RegExp][] = [
      [`console.log('s3cret');`, /did not print JSON$/],
      [`console.log('null');`, /did not print an ExecCredential$/],
      [`console.log('{"kind":"Secret"}');`, /did not print an ExecCredential$/],
      [`print({});`, /neither a token nor a client certificate/],
      [`print({ clientCertificateData: 'C' });`, /neither a token nor a client certificate/],
      [`print({ token: 't', expirationTimestamp: 'soon' });`, /expirationTimestamp/],
      [`process.stdout.write('x'.repeat(3e6)); setInterval(() => {}, 1000);`, /printed more than/],
    ];
    for (const [source, says] of cases) {
      await assert.rejects((await plugin(source)).authorization(never), failsWith(says), source);
    }
  });
});
