/** The audit records of a session from the live API. */
import { AmbientError } from '../../common/errors.ts';
import { livePaths } from '../../common/api/live.ts';
import type { Connection } from '../../common/kube/connection.ts';
import { isNotFound, KubeError } from '../../common/kube/errors.ts';
import type { SessionRef } from '../sessions/session-ref.ts';
import { parseAudit } from './audit-text.ts';
import type { ParsedAudit } from './audit-text.ts';

/** An editor shows no more than this comfortably. */
const BYTES_MAX = 20 * 1024 * 1024;

/** Throws KubeError, or AmbientError not_found with what that may mean. */
export async function readAudit(
  connection: Connection,
  { namespace, name }: SessionRef,
  signal: AbortSignal,
): Promise<ParsedAudit> {
  try {
    const { body } = await connection.stream(livePaths.audit(namespace, name), {
      accept: 'application/x-ndjson',
      signal,
    });
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > BYTES_MAX)
        throw new AmbientError('too_large', 'There are more audit records than an editor can show.');
      chunks.push(chunk);
    }
    return parseAudit(Buffer.concat(chunks).toString('utf8'));
  } catch (error) {
    // The operator's own 404 names the session; one without a name comes from an operator that has no such verb.
    if (isNotFound(error) && error instanceof KubeError && error.causeCode !== undefined)
      throw new AmbientError(
        'not_found',
        `There are no audit records of session ${name}: it does not exist (any more), or the operator keeps none.`,
        { cause: error },
      );
    throw error;
  }
}
