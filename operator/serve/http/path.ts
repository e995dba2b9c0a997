/** Request targets taken apart once, strictly: what one server reads as one path, no other may read as another. */
import { AmbientError } from '../../../common/errors.ts';

export interface Target {
  /** Decoded; never empty, `.` or `..`, never with / or a zero byte inside. */
  segments: string[];
  query: URLSearchParams;
}

/** Throws unsafe_path for a target that could be read in two ways. */
export function parseTarget(url: string): Target {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
  if (!path.startsWith('/')) throw unsafe('is not absolute');
  if (path === '/') return { segments: [], query };
  return { segments: path.slice(1).split('/').map(decodeSegment), query };
}

function decodeSegment(raw: string): string {
  let segment: string;
  try {
    segment = decodeURIComponent(raw);
  } catch {
    throw unsafe('is not percent-encoded UTF-8');
  }
  if (segment === '') throw unsafe('has an empty segment');
  if (segment === '.' || segment === '..') throw unsafe(`has the segment ${segment}`);
  if (segment.includes('/')) throw unsafe('has an encoded /');
  if (segment.includes('\0')) throw unsafe('has a zero byte');
  return segment;
}

const unsafe = (why: string): AmbientError => new AmbientError('unsafe_path', `the path ${why}`);

/** A whole number from 0. Throws invalid_request. */
export function numberParam(query: URLSearchParams, name: string, fallback?: number): number {
  const text = query.get(name);
  if (text === null && fallback !== undefined) return fallback;
  const number = Number(text);
  if (text === null || !/^\d{1,16}$/.test(text) || !Number.isSafeInteger(number)) {
    throw new AmbientError('invalid_request', `the parameter ${name} is a whole number from 0`);
  }
  return number;
}

/** Throws invalid_request. */
export function booleanParam(query: URLSearchParams, name: string): boolean {
  const text = query.get(name) ?? 'false';
  if (['true', '1'].includes(text)) return true;
  if (['false', '0'].includes(text)) return false;
  throw new AmbientError('invalid_request', `the parameter ${name} is true or false`);
}
