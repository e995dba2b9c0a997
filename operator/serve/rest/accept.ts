/** Whether an answer of a media type is welcome: https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1 */
import { AmbientError } from '../../../common/errors.ts';

/** Of what has the type that its maker gave it: nobody can ask for the right one beforehand. */
const ANYTHING = '*/*';

/** Throws not_acceptable. No header welcomes everything. */
export function accept(header: string | undefined, offered: readonly string[]): void {
  if (header === undefined || header.trim() === '' || offered.length === 0) return;
  if (offered.includes(ANYTHING)) return;
  const ranges = header.split(',').map((each) => {
    const [range = '', ...parameters] = each.split(';').map((part) => part.trim().toLowerCase());
    const isRefused = parameters.some((part) => /^q=0(\.0*)?$/.test(part));
    return { range, isRefused };
  });
  const isWelcome = offered.some((type) => {
    const names = [type, `${type.split('/', 1)[0]}/*`, ANYTHING];
    // The most exact range decides.
    const found = names.flatMap((name) => ranges.find(({ range }) => range === name) ?? [])[0];
    return found !== undefined && !found.isRefused;
  });
  if (isWelcome) return;
  throw new AmbientError('not_acceptable', `this address answers with ${offered.join(' or ')}`);
}
