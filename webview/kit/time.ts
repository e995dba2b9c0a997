/** Times and durations as people read them. Pure: the present is an argument. */

/** `0 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. Negative counts as zero. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return parts(minutes, 'min', seconds % 60, 's');
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return parts(hours, 'h', minutes % 60, 'min');
  return parts(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

const parts = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;

/** `just now`, `5 min ago`, `3 h ago`, `2 d ago`. */
export function formatAgo(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes < 1) return 'just now';
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ago` : `${Math.floor(hours / 24)} d ago`;
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const moment = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

const format = (formatter: Intl.DateTimeFormat, time: string): string => {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? time : formatter.format(date);
};

/** `14:03:07`, in the reader's time zone. */
export const formatClock = (time: string): string => format(clock, time);
/** `4 Mar 2030, 14:03:07`, in the reader's time zone. */
export const formatMoment = (time: string): string => format(moment, time);
