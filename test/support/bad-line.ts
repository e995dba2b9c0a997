/** A line to a server of this machine that can be slow, silent or cut: what networks do between an operator and a store. */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export interface BadLine extends AsyncDisposable {
  readonly port: number;
  /** Answers are held so long. */
  delayMs: number;
  /** Nothing comes back any more. */
  isSilent: boolean;
  /** Cuts each connection once so many bytes have come back through it; as often as `times` says. */
  cut: { afterBytes: number; times: number } | undefined;
}

export async function badLine(target: number): Promise<BadLine> {
  const sockets = new Set<Socket>();
  const server = createServer((incoming) => {
    const upstream = connect(target, '127.0.0.1');
    let back = 0;
    const end = (): void => {
      incoming.destroy();
      upstream.destroy();
    };
    for (const socket of [incoming, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    incoming.on('close', end);
    // Not before what is held has gone on.
    upstream.on('close', () => setTimeout(end, line.delayMs + 1));
    incoming.pipe(upstream);
    upstream.on('data', (chunk) => {
      if (line.isSilent) return;
      back += chunk.length;
      const { cut } = line;
      if (cut !== undefined && cut.times > 0 && back > cut.afterBytes) {
        cut.times--;
        return end();
      }
      if (line.delayMs > 0) setTimeout(() => incoming.write(chunk), line.delayMs);
      else if (!incoming.write(chunk)) {
        upstream.pause();
        incoming.once('drain', () => upstream.resume());
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const line: BadLine = {
    port: (server.address() as AddressInfo).port,
    delayMs: 0,
    isSilent: false,
    cut: undefined,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return line;
}
