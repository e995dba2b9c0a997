/** Ascending order of keys: by their UTF-8 bytes, as S3 lists. */
export const compareKeys = (left: string, right: string): number =>
  Buffer.compare(Buffer.from(left, 'utf8'), Buffer.from(right, 'utf8'));
