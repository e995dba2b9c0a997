/** Answers that are written piece by piece, past the framework. */
import type { FastifyReply } from 'fastify';
import { catalogued } from '../http/exchange.ts';
import type { Exchange } from '../http/exchange.ts';

/** What goes wrong before the first byte is refused as always; later, an answer cut short must not look like one that ended. */
export async function sendRaw(
  reply: FastifyReply,
  exchange: Exchange,
  send: () => Promise<void>,
): Promise<undefined> {
  const { response, traceId } = exchange;
  response.setHeader('x-trace-id', traceId);
  try {
    await send();
    reply.hijack();
  } catch (error) {
    if (!response.headersSent) throw error;
    exchange.failure = catalogued(error, exchange);
    reply.hijack();
    response.destroy();
  }
  return undefined;
}
