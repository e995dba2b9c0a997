/** A ConfigMap as `kubectl get -o json` gives it, from a file or standard input. */
import { createReadStream } from 'node:fs';
import { text } from 'node:stream/consumers';
import { AmbientError, messageOf } from '../common/errors.ts';

/** Its data. Throws invalid_request, and what reading throws. */
export async function readConfigMap(
  file: string,
  input: NodeJS.ReadableStream,
  name: string,
): Promise<Record<string, unknown>> {
  const content = await text(file === '-' ? input : createReadStream(file));
  let parsed: { data?: unknown } | null;
  try {
    parsed = JSON.parse(content) as { data?: unknown } | null;
  } catch (cause) {
    throw new AmbientError('invalid_request', `${file} is not JSON: ${messageOf(cause)}`, { cause });
  }
  const data = parsed?.data;
  if (typeof data !== 'object' || data === null)
    throw new AmbientError('invalid_request', `${file} is not the ConfigMap ${name}: it has no data`);
  return data as Record<string, unknown>;
}
