/** How many connections one address may hold: others shall find a place, too. */
import type { Server, Socket } from 'node:net';

/** Those beyond are closed before anything is read. */
export function limitConnections(server: Pick<Server, 'on'>, most: number): void {
  const held = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? '';
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
