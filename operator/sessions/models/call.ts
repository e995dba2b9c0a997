/** One call of a model by a session's agent, as the door hands it in, and where its answer goes. */
import type { IncomingHttpHeaders } from 'node:http';
import type { ModelProvider } from '../../../common/api/models.ts';
import type { Session } from '../../../common/api/session.ts';

export interface ModelCall {
  session: Session;
  provider: ModelProvider;
  /** The provider's own, decoded, from its / on. */
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  /** Let go of once it is sent: a stream may last for long. */
  body: Buffer | undefined;
  /** Called when the body is needed no more. */
  sent: () => void;
  traceId: string;
  /** Aborts when the agent is gone. */
  signal: AbortSignal;
}

export interface AnswerSink {
  start(status: number, headers: Record<string, string | string[]>): void;
  /** Resolves when there is room for more. Rejects when the agent is gone. */
  write(chunk: Uint8Array, signal: AbortSignal): Promise<void>;
}

/** Measurements, whoever takes them. */
export interface CallMeters {
  tokens(provider: ModelProvider, kind: string, count: number): void;
  /** Billionths of a dollar. */
  cost(provider: ModelProvider, amount: bigint): void;
  /** From the whole request to its being sent on, in seconds. */
  added(seconds: number): void;
  /** Calls under way. */
  underWay(change: 1 | -1): void;
}
