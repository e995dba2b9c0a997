/** GET …/audit: the session's audit records as they are stored, as NDJSON. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Session } from '../../../common/api/session.ts';
import type { Accesses } from '../../sessions/accesses.ts';
import type { Exchange } from '../http/exchange.ts';

export async function serveAudit(
  accesses: Accesses,
  { response, signal }: Exchange,
  session: Session,
): Promise<void> {
  const records = accesses.records(session);
  // What breaks at once can still be answered with why.
  const first = await records.next();
  response.writeHead(200, {
    'content-type': 'application/x-ndjson',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  async function* lines(): AsyncGenerator<string, void, undefined> {
    if (first.done !== true) yield `${first.value}\n`;
    for await (const line of records) yield `${line}\n`;
  }
  await pipeline(Readable.from(lines()), response, { signal });
}
