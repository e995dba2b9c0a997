/** What the display name of a session may hold: one line that people see as it is. */

/** Controls, formats and separators of lines. Of these only the joiners are taken: emoji and some scripts need them. */
const UNSEEN = '\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}';
const seen = new RegExp(`^(?:[^${UNSEEN}]|[\\u200c\\u200d])*$`, 'u');

export const isSeen = (text: string): boolean => seen.test(text);
export const SEEN_MESSAGE = 'must be one line, without control characters and others that are not seen';
/** The same in CEL. */
export const IS_SEEN_RULE = `self.matches(r'^(?:[^${UNSEEN}]|[\\x{200c}\\x{200d}])*$')`;
