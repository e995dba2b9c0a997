/** Whether two addresses are of one repository, however each is written: over https, ssh, or as ssh abbreviates it. */
export function isSameRepository(one: string, other: string): boolean {
  const [a, b] = [placeOf(one), placeOf(other)];
  return a !== undefined && a === b;
}

/** host/path, without what makes no difference. */
function placeOf(address: string): string | undefined {
  const [, shortHost, shortPath] = /^(?:[^@/\s]+@)?([^:/\s]+):(?!\/\/)(.+)$/.exec(address) ?? [];
  if (shortHost !== undefined && shortPath !== undefined) return joined(shortHost, shortPath);
  if (!URL.canParse(address)) return undefined;
  const { protocol, host, hostname, pathname } = new URL(address);
  if (protocol === 'ssh:' || protocol === 'git+ssh:') return joined(hostname, pathname);
  return protocol === 'https:' || protocol === 'http:' ? joined(host, pathname) : undefined;
}

function joined(host: string, path: string): string | undefined {
  const bare = path.replace(/^\/+|\/+$/g, '').replace(/\.git$/, '');
  return bare === '' ? undefined : `${host.toLowerCase()}/${bare}`;
}
