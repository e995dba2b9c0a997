/** Events as their senders document them, one a JSON file: source, headers in lower case, payload as parsed. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Delivery } from '../../common/rules/triggers/event.ts';

const folder = join(import.meta.dirname, 'webhook-payloads');

export const WEBHOOK_PAYLOADS = readdirSync(folder).map((file) => file.replace(/\.json$/, ''));

/** A copy of its own for each caller. */
export const webhookPayload = (name: string): Delivery =>
  JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as Delivery;
