/** `${secret:NAME/KEY}` and `${secret}` in the values of headers, filled in from Secrets of the tenant's namespace. */

export interface SecretReference {
  name: string;
  key: string;
}

/** Key of a webhook's Secret that signs the body, and that `${secret}` stands for. */
export const SIGNING_KEY = 'secret';

const PLACEHOLDER = /\$\{secret(?::([^}/]*)\/([^}]*))?\}/g;

/** Gives undefined for a Secret or key that does not exist. */
export type ReadSecret = (reference: SecretReference) => Promise<string>;

/** @param own the webhook's own Secret. Throws what `read` throws, and RangeError when `${secret}` has none to stand for. */
export async function fillIn(text: string, own: string | undefined, read: ReadSecret): Promise<string> {
  let filled = '';
  let end = 0;
  for (const match of text.matchAll(PLACEHOLDER)) {
    const [whole, name = own, key = SIGNING_KEY] = match;
    if (name === undefined) throw new RangeError('it uses ${secret}, but the webhook names no secret');
    filled += text.slice(end, match.index) + (await read({ name, key }));
    end = match.index + whole.length;
  }
  return filled + text.slice(end);
}
