/** Reads archives in the format of `docker save`: what is where in the file, without unpacking it. */
import { createReadStream } from 'node:fs';
import type { ReadStream } from 'node:fs';
import { open } from 'node:fs/promises';

interface Place {
  readonly offset: number;
  readonly size: number;
}

export interface ArchivedImage {
  readonly tags: readonly string[];
  readonly config: Buffer;
  /** SHA-256 of the uncompressed layer, and where its bytes are; bottom first. */
  readonly layers: readonly { readonly digest: string; readonly place: Place }[];
}

interface Manifest {
  readonly Config: string;
  readonly RepoTags?: readonly string[] | null;
  readonly Layers: readonly string[];
}

/** The one image in the archive; undefined when it is in another format or holds several. */
export async function readArchive(file: string): Promise<ArchivedImage | undefined> {
  const places = await index(file);
  const read = async (name: string): Promise<Buffer | undefined> => {
    const place = places.get(name);
    return place === undefined ? undefined : Buffer.concat(await openPlace(file, place).toArray());
  };
  const text = await read('manifest.json');
  if (text === undefined) return undefined;
  const [manifest, ...others] = JSON.parse(text.toString()) as Manifest[];
  if (manifest === undefined || others.length > 0) return undefined;
  const config = await read(manifest.Config);
  if (config === undefined) return undefined;
  const { rootfs } = JSON.parse(config.toString()) as { rootfs: { diff_ids: string[] } };
  const layers = manifest.Layers.map((name, at) => ({
    digest: rootfs.diff_ids[at]?.replace(/^sha256:/, '') ?? '',
    place: places.get(name),
  }));
  const complete = layers.filter(
    (layer): layer is { digest: string; place: Place } => layer.place !== undefined,
  );
  if (complete.length !== rootfs.diff_ids.length) return undefined;
  return { tags: manifest.RepoTags ?? [], config, layers: complete };
}

export function openPlace(file: string, { offset, size }: Place): ReadStream {
  // An end before the start would read to the end of the file.
  return size === 0
    ? createReadStream('/dev/null')
    : createReadStream(file, { start: offset, end: offset + size - 1 });
}

/** Regular files by name. Reads headers only, as layers are large. */
async function index(file: string): Promise<Map<string, Place>> {
  const places = new Map<string, Place>();
  await using handle = await open(file);
  const header = Buffer.alloc(512);
  for (
    let position = 0;
    (await handle.read(header, 0, 512, position)).bytesRead === 512 && header[0] !== 0;
  ) {
    const size = Number.parseInt(field(header, 124, 12), 8);
    const kind = String.fromCharCode(header[156] ?? 0);
    if (kind === '0' || kind === '\0') places.set(field(header, 0, 100), { offset: position + 512, size });
    position += 512 + Math.ceil(size / 512) * 512;
  }
  return places;
}

function field(header: Buffer, start: number, length: number): string {
  return header
    .toString('latin1', start, start + length)
    .replace(/\0.*$/s, '')
    .trim();
}
