/** The page's end of the conversation with the extension, and what it keeps while it is hidden. */
import type { Handlers, Message, Post } from '../../common/api/panels.ts';

interface VscodeApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

declare function acquireVsCodeApi(): VscodeApi;

// May be called once in the life of a document.
const api = acquireVsCodeApi();

/** Gives back the way to post requests; updates go to their handlers. */
export function connect<Requests, Updates>(handlers: Handlers<Updates>): Post<Requests> {
  window.addEventListener('message', (event: MessageEvent<Message<Updates> | undefined>) => {
    const message = event.data;
    if (message === undefined || !Object.hasOwn(handlers, message.type)) return;
    const handler = handlers[message.type] as (payload: unknown) => void | Promise<void>;
    // A failure is a fault of the page: it stands in the console of the developer tools.
    Promise.resolve(handler(message.payload)).catch((error: unknown) => reportError(error));
  });
  return (type, payload) => api.postMessage({ type, payload });
}

/** What the page remembers while it is hidden or VS Code restarts: fields over those of `initial`. */
export class Memory<T extends object> {
  #value: T;

  constructor(initial: T) {
    this.#value = { ...initial, ...Object(api.getState()) } as T;
  }

  get value(): Readonly<T> {
    return this.#value;
  }

  set(change: Partial<T>): void {
    this.#value = { ...this.#value, ...change };
    api.setState(this.#value);
  }
}
