/**
 * Names of sessions that deliveries start: a UUID made of the delivery, so that whoever creates it a second time, on whichever
 * replica and however much later, is told by the API server that it is there.
 */
import { createHash } from 'node:crypto';

export interface DeliveryRef {
  namespace: string;
  source: string;
  delivery: string;
  trigger: string;
}

/** RFC 9562 version 8: 122 bits of a hash. */
export function sessionIdOf({ namespace, source, delivery, trigger }: DeliveryRef): string {
  const bytes = createHash('sha256')
    .update(JSON.stringify([namespace, source, delivery, trigger]))
    .digest()
    .subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
