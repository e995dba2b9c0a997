/** The source could not be brought into the workspace; the message is for the person who launched the session. */
export class SourceError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SourceError';
  }
}
