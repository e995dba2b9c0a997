/** A body in pieces, as long as it does not take too long. The request itself stays open, so that a refusal gets through. */
import type { IncomingMessage } from 'node:http';
import { AmbientError } from '../../../common/errors.ts';

/** Throws too_slow, and invalid_request when it breaks off. */
export async function* inTime(request: IncomingMessage, timeoutMs: number): AsyncGenerator<Buffer> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  late.catch(() => undefined);
  const timer = setTimeout(
    () => reject(new AmbientError('too_slow', `the body took longer than ${timeoutMs / 1000} s`)),
    timeoutMs,
  );
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  try {
    for (;;) {
      const next = await Promise.race([chunks.next(), late]);
      if (next.done === true) return;
      yield next.value;
    }
  } catch (error) {
    if (error instanceof AmbientError) throw error;
    throw new AmbientError('invalid_request', 'the body broke off', { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
