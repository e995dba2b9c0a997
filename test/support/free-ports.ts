/**
 * Ports for servers that listen later, or again after they were killed. They are below those that the kernel gives to whoever asks for
 * none in particular: it would give them to a connection or a server of somebody else meanwhile.
 */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import type { Server } from 'node:net';

const [FIRST, END] = [11_000, 20_000];

/** Nobody listens there now; all are held at once, so that they differ. */
export async function freePorts(address: string, count: number): Promise<number[]> {
  const held = new Map<number, Server>();
  while (held.size < count) {
    const port = randomInt(FIRST, END);
    const server = await listen(port, address);
    if (server !== undefined) held.set(port, server);
  }
  await Promise.all([...held.values()].map((server) => new Promise((resolve) => server.close(resolve))));
  return [...held.keys()];
}

export async function freePort(address: string): Promise<number> {
  const [port = 0] = await freePorts(address, 1);
  return port;
}

const listen = (port: number, address: string): Promise<Server | undefined> =>
  new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(undefined));
    server.listen(port, address, () => resolve(server));
  });
