/** An API key of webhooks for tests, and its hash as a policy holds it. */
import { createHash } from 'node:crypto';

export const KEYED = 'test-key-0123456789abcdef0123456789abcdef';

export const hashOf = (key: string): string => `sha256:${createHash('sha256').update(key).digest('hex')}`;
