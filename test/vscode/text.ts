/** Labels as tests name them. */

export type Text = string | RegExp;

/** A string means the whole text, case and all, apart from blanks around it; a RegExp is matched as it stands. */
export function exactly(text: Text): RegExp {
  return typeof text === 'string' ? new RegExp(`^\\s*${text.replaceAll(/[^\w\s]/gu, '\\$&')}\\s*$`) : text;
}
