/** Probes and metrics over plain HTTP. */
import assert from 'node:assert/strict';
import { pino } from 'pino';
import { Counter, Registry } from 'prom-client';
import { createHealthServer } from '../../../../operator/serve/health/server.ts';

describe('the health server', () => {
  it('tells what is wrong, and what is measured', async () => {
    const metrics = new Registry();
    new Counter({ name: 'things_total', help: 'Things.', registers: [metrics] }).inc(3);
    let isReady = false;
    const door = createHealthServer({
      live: { loop: () => undefined },
      ready: {
        sessions: () => {
          if (!isReady) throw new Error('not synced');
        },
        store: () => (isReady ? Promise.resolve() : new Promise(() => undefined)),
      },
      metrics,
      logger: pino({ level: 'silent' }),
      timeoutMs: 50,
    });
    const port = await door.listen(0, '127.0.0.1');
    const get = async (path: string): Promise<[number, string]> => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`);
      return [answer.status, await answer.text()];
    };
    try {
      assert.deepEqual(await get('/livez'), [200, '[+] loop\nok\n']);
      assert.deepEqual(await get('/readyz'), [
        503,
        '[-] sessions: not synced\n[-] store: no answer in 50 ms\nfailed\n',
      ]);
      isReady = true;
      assert.deepEqual(await get('/readyz?verbose'), [200, '[+] sessions\n[+] store\nok\n']);
      const [status, text] = await get('/metrics');
      assert.equal(status, 200);
      assert.match(text, /^things_total 3$/m);
      assert.equal((await get('/other'))[0], 404);
    } finally {
      await door.close(100);
    }
  });
});
