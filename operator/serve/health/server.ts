/** Plain HTTP for the kubelet and Prometheus: /livez, /readyz, /metrics. */
import { createServer } from 'node:http';
import type { ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { messageOf } from '../../../common/errors.ts';
import { doorOf } from '../http/server.ts';
import type { Door } from '../http/server.ts';

/** Throws, or rejects, with what is wrong. */
export type Check = () => void | Promise<void>;

export interface HealthServerOptions {
  /** Failing ones make the kubelet restart the operator. */
  live: Readonly<Record<string, Check>>;
  /** Failing ones take this replica out of its Service. */
  ready: Readonly<Record<string, Check>>;
  metrics: Registry;
  logger: Logger;
  /** A check that takes longer has failed. */
  timeoutMs?: number;
}

const TIMEOUT_MS = 5000;

export function createHealthServer(options: HealthServerOptions): Door {
  const { live, ready, metrics, logger, timeoutMs = TIMEOUT_MS } = options;
  const answer = async (path: string, response: ServerResponse): Promise<void> => {
    switch (path) {
      case '/livez':
      case '/healthz':
        return await sendChecks(response, live, timeoutMs);
      case '/readyz':
        return await sendChecks(response, ready, timeoutMs);
      case '/metrics':
        response.writeHead(200, { 'content-type': metrics.contentType }).end(await metrics.metrics());
        return;
      default:
        response.writeHead(404, { 'content-type': 'text/plain' }).end('not found\n');
    }
  };
  const server = createServer((request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
      return;
    }
    answer(request.url?.split('?', 1)[0] ?? '', response).catch((err: unknown) => {
      logger.error({ err }, 'answering a health request failed');
      response.destroy();
    });
  });
  return doorOf(server, { closing: new AbortController() });
}

async function sendChecks(
  response: ServerResponse,
  checks: Readonly<Record<string, Check>>,
  timeoutMs: number,
): Promise<void> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => ({
      name,
      problem: await problemOf(check, timeoutMs),
    })),
  );
  const isWell = results.every(({ problem }) => problem === undefined);
  const lines = results.map(({ name, problem }) =>
    problem === undefined ? `[+] ${name}` : `[-] ${name}: ${problem}`,
  );
  response
    .writeHead(isWell ? 200 : 503, { 'content-type': 'text/plain; charset=utf-8' })
    .end(`${[...lines, isWell ? 'ok' : 'failed'].join('\n')}\n`);
}

async function problemOf(check: Check, timeoutMs: number): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const timer = setTimeout(() => resolve(`no answer in ${timeoutMs} ms`), timeoutMs);
  const asked = (async () => {
    try {
      await check();
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  })();
  try {
    return await Promise.race([asked, promise]);
  } finally {
    clearTimeout(timer);
  }
}
