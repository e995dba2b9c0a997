/**
 * An agent that tries all it must not reach, with the token of its pod: shipped as text, run inside of a session's pod. Prints a
 * JSON object: what it tried, and how it was answered (a status, or the code of an error).
 */
import { readFileSync, existsSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:net';

interface Targets {
  apiServer: string;
  live: string;
  rest: string;
  /** A session of somebody else. */
  victim: { namespace: string; name: string; pod: string; podUid: string };
}

const targets = JSON.parse(Buffer.from(process.argv[2] ?? '', 'base64').toString()) as Targets;
const { endpoint } = JSON.parse(readFileSync('/ambient/session.json', 'utf8')) as {
  endpoint: { url: string };
};
const token = readFileSync('/ambient/token', 'utf8').trim();
const { namespace, name, pod, podUid } = targets.victim;
const runners = `${endpoint.url}/runner/v1`;
const live = `/apis/live.ambient.ai/v1alpha1/namespaces/${namespace}/sessions/${name}`;
const PATIENCE_MS = 2000;

/** The token of this pod, changed to name that of somebody else: its signature does not fit any more. */
function forged(): string {
  const [header, payload = '', signature] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, object>;
  claims['kubernetes.io'] = { ...claims['kubernetes.io'], namespace, pod: { name: pod, uid: podUid } };
  return [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
}

/** Whoever answers is not asked for a certificate: all that counts is what comes back. */
const ask = (url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<unknown> =>
  new Promise((resolve) => {
    const sent = request(
      url,
      { method, headers, rejectUnauthorized: false, timeout: PATIENCE_MS },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      },
    );
    sent.on('timeout', () => sent.destroy(new Error('timeout')));
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    sent.end();
  });

const knock = (host: string, port: number): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: PATIENCE_MS }, () => resolve('reached'));
    socket.on('timeout', () => socket.destroy(new Error('timeout')));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });

function write(path: string): string {
  try {
    writeFileSync(path, 'x');
    return 'written';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'failed';
  }
}

const own = { authorization: `Bearer ${token}` };
const status = readFileSync('/proc/self/status', 'utf8');
const ofStatus = (field: string): string | undefined =>
  new RegExp(`^${field}:\\s*(\\S+)`, 'm').exec(status)?.[1];
const pods = `${targets.apiServer}/api/v1/namespaces/${namespace}/pods`;

console.log(
  JSON.stringify({
    'API server without a token': await ask(pods),
    'API server with its token': await ask(pods, own),
    'metadata service': await knock('169.254.169.254', 80),
    'another session by path': await ask(`${runners}/sessions/${name}/events`, own),
    'artifacts of another session': await ask(`${runners}/../v1/artifacts/..%2f..%2f${name}`, own, 'PUT'),
    'as another pod': await ask(`${runners}/control`, { authorization: `Bearer ${forged()}` }),
    'without a token': await ask(`${runners}/control`),
    'models with the wrong token': await ask(`${endpoint.url}/models/anthropic/v1/messages`, own, 'POST'),
    'log of another session past the API server': await ask(`${targets.live}${live}/log`, {
      ...own,
      'x-remote-user': 'admin',
      'x-remote-group': 'system:masters',
    }),
    'log of another session by REST': await ask(
      `${targets.rest}/api/v1/namespaces/${namespace}/sessions/${name}/log`,
      own,
    ),
    'its own session': await ask(`${runners}/control`, own),
    user: process.getuid?.(),
    capabilities: [ofStatus('CapEff'), ofStatus('CapBnd')],
    noNewPrivileges: ofStatus('NoNewPrivs'),
    seccomp: ofStatus('Seccomp'),
    'first process': readFileSync('/proc/1/cmdline', 'utf8').includes('runner') ? 'the runner' : 'another',
    'token of the API server': existsSync('/var/run/secrets/kubernetes.io/serviceaccount/token'),
    'variables of services': Object.keys(process.env).filter(
      (each) => /_(SERVICE_HOST|PORT_\d+_TCP)$/.test(each) && !each.startsWith('KUBERNETES_'),
    ),
    'root file system': write('/probe'),
    'its own token': write('/ambient/token'),
    'the kernel': write('/proc/sys/kernel/core_pattern'),
  }),
);
