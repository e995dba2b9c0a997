/** How many connections one address may hold: others shall find a place, too. */
import { BlockList, isIPv6 } from 'node:net';
import type { Server, Socket } from 'node:net';

/** Those beyond are closed before anything is read. A trusted proxy, by its CIDR, holds those of everybody who comes through it. */
export function limitConnections(
  server: Pick<Server, 'on'>,
  most: number,
  trustedProxies: readonly string[] = [],
): void {
  const trusted = new BlockList();
  for (const cidr of trustedProxies) {
    const [network = '', length = ''] = cidr.split('/');
    trusted.addSubnet(network, Number(length), isIPv6(network) ? 'ipv6' : 'ipv4');
  }
  const held = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
    if (trusted.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')) return;
    const count = (held.get(address) ?? 0) + 1;
    held.set(address, count);
    socket.once('close', () => {
      const left = (held.get(address) ?? 1) - 1;
      if (left === 0) held.delete(address);
      else held.set(address, left);
    });
    if (count > most) socket.destroy();
  });
}
