/** Comparing resourceVersions of one resource: decimal numbers without leading zeros, of any length (KEP-5504). */

/** Whether `version` is older than `than`. What is no number cannot be ordered and counts as not older. */
export function isOlder(version: string | undefined, than: string | undefined): boolean {
  if (version === undefined || than === undefined || !NUMBER.test(version) || !NUMBER.test(than))
    return false;
  return version.length === than.length ? version < than : version.length < than.length;
}

const NUMBER = /^[1-9][0-9]*$/;
