/** How an artifact is best looked at, by its name and else by its content type. */
import type { Artifact } from '../../common/api/live.ts';

/** image, media: the editor's own viewers. picture: our preview for SVG. */
export type Opening = 'markdown' | 'picture' | 'image' | 'media' | 'patch' | 'text' | 'binary';

const BY_EXTENSION: Readonly<Record<string, Opening>> = {
  ...every('markdown', 'md markdown mdown mkd'),
  ...every('picture', 'svg'),
  ...every('image', 'png jpg jpeg jpe gif webp bmp ico avif'),
  ...every('media', 'mp3 wav ogg oga mp4 webm'),
  ...every('patch', 'patch diff'),
};

/** Types beside text/* that are text. */
const TEXT_TYPES =
  /^(text\/.*|application\/(json|javascript|xml|yaml|toml|x-(ndjson|sh|yaml|httpd-php)|sql|graphql)|.*\+(json|xml|yaml))$/;

export function openingOf({
  path,
  contentType,
  size,
}: Pick<Artifact, 'path' | 'contentType' | 'size'>): Opening {
  const extension = /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase() ?? '';
  const known = BY_EXTENSION[extension];
  if (known !== undefined) return known;
  const type = (contentType.split(';')[0] ?? '').trim().toLowerCase();
  if (type === 'image/svg+xml') return 'picture';
  if (type === 'text/markdown') return 'markdown';
  if (type === 'text/x-patch' || type === 'text/x-diff') return 'patch';
  return TEXT_TYPES.test(type) || size === 0 ? 'text' : 'binary';
}

function every(opening: Opening, extensions: string): Record<string, Opening> {
  return Object.fromEntries(extensions.split(' ').map((extension) => [extension, opening]));
}
