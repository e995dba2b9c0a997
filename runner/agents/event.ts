/** What an agent tells of itself, before it has a number and a time. */
import type { LogRecord } from '../../common/api/log.ts';

/** Longest line that is tried as an event; UTF-8 bytes. */
export const EVENT_LINE_MAX = 1024 * 1024;

export type AgentEvent = Pick<LogRecord, 'type' | 'text' | 'id' | 'name' | 'data'>;
