/** Server-sent events as a browser reads them. */
import type { IncomingMessage } from 'node:http';

export interface ReceivedEvent {
  id: string | undefined;
  event: string;
  data: string;
}

/** Until the answer ends; comments are left out. Ending the loop ends the connection. */
export async function* eventsOf(response: IncomingMessage): AsyncGenerator<ReceivedEvent, void, undefined> {
  let text = '';
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      text += chunk.toString('utf8');
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const fields = new Map(
          block
            .split('\n')
            .filter((line) => !line.startsWith(':'))
            .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(': ') + 2)]),
        );
        const data = fields.get('data');
        if (data !== undefined) yield { id: fields.get('id'), event: fields.get('event') ?? 'message', data };
      }
    }
  } finally {
    response.destroy();
  }
}

/** The next so many. Throws when the stream ends before. */
export async function take(
  events: AsyncGenerator<ReceivedEvent, void, undefined>,
  count: number,
): Promise<ReceivedEvent[]> {
  const taken: ReceivedEvent[] = [];
  while (taken.length < count) {
    const next = await events.next();
    if (next.done === true)
      throw new Error(`the stream ended after ${taken.length} of ${count}: ${JSON.stringify(taken)}`);
    taken.push(next.value);
  }
  return taken;
}
