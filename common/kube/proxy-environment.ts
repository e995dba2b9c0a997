/** HTTPS_PROXY, HTTP_PROXY and NO_PROXY as kubectl reads them. */
import { BlockList, isIP } from 'node:net';

type Environment = Readonly<Record<string, string | undefined>>;

/** The proxy for an API server whose kubeconfig names none. Rules of Go's golang.org/x/net/http/httpproxy. */
export function proxyFromEnvironment(server: string, env: Environment): string | undefined {
  const url = URL.parse(server);
  if (url === null) return undefined;
  const named = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const proxy = env[named] ?? env[named.toLowerCase()];
  if (proxy === undefined || proxy === '' || isExempt(url, env['NO_PROXY'] ?? env['no_proxy'] ?? ''))
    return undefined;
  return proxy.includes('://') ? proxy : `http://${proxy}`;
}

function isExempt(url: URL, exemptions: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  if (host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))) return true;
  return exemptions
    .split(',')
    .map((each) => each.trim().toLowerCase())
    .some((each) => each !== '' && (each === '*' || matches(each, host, port)));
}

function matches(exemption: string, host: string, port: string): boolean {
  if (exemption.includes('/')) return isInside(exemption, host);
  const withPort = /^(.+?):(\d+)$/.exec(isIP(exemption) === 6 ? '' : exemption);
  const name = (withPort?.[1] ?? exemption).replace(/^\[|\]$/g, '');
  if (withPort?.[2] !== undefined && withPort[2] !== port) return false;
  if (isIP(host) !== 0) return name === host;
  if (name.startsWith('*.')) return host.endsWith(name.slice(1));
  return name.startsWith('.') ? host.endsWith(name) : host === name || host.endsWith(`.${name}`);
}

function isInside(range: string, host: string): boolean {
  const [network = '', prefix = ''] = range.split('/');
  const family = isIP(network);
  const bits = Number(prefix);
  if (family === 0 || family !== isIP(host) || !Number.isInteger(bits) || bits > (family === 4 ? 32 : 128))
    return false;
  const list = new BlockList();
  list.addSubnet(network, bits, family === 4 ? 'ipv4' : 'ipv6');
  return list.check(host, family === 4 ? 'ipv4' : 'ipv6');
}
