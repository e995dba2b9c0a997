/**
 * A UUID made of facts: whoever makes it again from the same ones, on whichever replica and however much later, gets the same, so
 * that the API server tells when the object of that name is there already.
 */
import { createHash } from 'node:crypto';

/** RFC 9562 version 8: 122 bits of a hash. What is made for different purposes begins with different words. */
export function derivedUuid(purpose: string, ...facts: readonly string[]): string {
  const bytes = createHash('sha256')
    .update(JSON.stringify([purpose, ...facts]))
    .digest()
    .subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
