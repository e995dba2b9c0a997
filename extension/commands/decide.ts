/** ambient.approve and ambient.reject. The optional second argument `{ reason }` decides without asking. */
import type { Command } from './context.ts';

export const approve: Command =
  (context) =>
  async (...args) =>
    (await import('./deciding.ts')).decide(context, 'approve', args);

export const reject: Command =
  (context) =>
  async (...args) =>
    (await import('./deciding.ts')).decide(context, 'reject', args);
