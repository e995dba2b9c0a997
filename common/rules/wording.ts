/** How durations, sizes and lists read in messages for people. */

/** `800 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`. Negative counts as zero. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.max(0, Math.round(milliseconds))} ms`;
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return parts(minutes, 'min', seconds % 60, 's');
  return parts(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
}

const parts = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;

/** `0 bytes`, `1 byte`, `12 KiB`, `1.5 MiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} ${bytes === 1 ? 'byte' : 'bytes'}`;
  let value = bytes;
  let unit = '';
  for (const next of ['KiB', 'MiB', 'GiB', 'TiB']) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  return `${value < 10 ? Math.round(value * 10) / 10 : Math.round(value)} ${unit}`;
}

/** `1 artifact`, `3 artifacts`. */
export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;

/** The first few, and how many more there are. */
export function formatList(items: readonly string[], max = 20): string {
  const shown = items.slice(0, max).join(', ');
  return items.length > max ? `${shown} and ${items.length - max} more` : shown;
}

/** Text from outside as one line without control characters, so that it cannot break a list or a terminal. */
export const oneLine = (text: string): string =>
  text
    .replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .replace(/ {2,}/g, ' ')
    .trim();

/** Text from outside as the display name of a session may be: what nobody sees is left out, but for what joins letters and emoji. */
export const titleLine = (text: string): string =>
  oneLine(text.replace(/[\p{Zl}\p{Zp}]/gu, ' ').replace(/(?![\u200c\u200d])\p{Cf}/gu, ''));
