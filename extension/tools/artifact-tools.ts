/** What a session made: the list, and the text of one. */
import Type from 'typebox';
import { livePaths } from '../../common/api/live.ts';
import type { ArtifactList } from '../../common/api/live.ts';
import { AmbientError } from '../../common/errors.ts';
import { openingOf } from '../artifacts/opening.ts';
import { visible } from '../logs/visible-text.ts';
import { quoted, sessionFields, whereOf } from './place.ts';
import type { SessionInput } from './place.ts';
import type { SessionTool, ToolPlace } from './tool.ts';

const BYTES_MAX = 64 * 1024;

const listOf = async (
  { client, namespace }: ToolPlace,
  session: string,
  signal: AbortSignal,
): Promise<ArtifactList['items']> =>
  (await client.connection.json<ArtifactList>(livePaths.artifacts(namespace, session), { signal })).items;

export const listArtifactsTool: SessionTool<SessionInput> = {
  name: 'ambient_list_artifacts',
  title: 'List Artifacts of an Ambient Session',
  description:
    'Lists the files that an AI agent session made, with size and type. changes.patch is what it changed in its source, as a git diff.',
  input: Type.Object(sessionFields, { additionalProperties: false }),
  isReadOnly: true,
  run: async ({ cluster, namespace, session }, world, signal) => {
    const place = await world.place(cluster, namespace);
    const items = await listOf(place, session, signal);
    if (items.length === 0) return `Session ${session} in ${whereOf(place)} has made no artifacts.`;
    const lines = items.map(({ path, size, contentType }) => JSON.stringify({ path, size, contentType }));
    return quoted(`Artifacts of session ${session} in ${whereOf(place)}`, lines.join('\n'));
  },
};

interface ReadInput extends SessionInput {
  path: string;
}

export const readArtifactTool: SessionTool<ReadInput> = {
  name: 'ambient_read_artifact',
  title: 'Read an Artifact of an Ambient Session',
  description:
    'Reads a text file that an AI agent session made, at most its first 64 KiB. Use ambient_list_artifacts for the paths.',
  input: Type.Object(
    {
      ...sessionFields,
      path: Type.String({ minLength: 1, maxLength: 4096, description: 'As ambient_list_artifacts has it.' }),
    },
    { additionalProperties: false },
  ),
  isReadOnly: true,
  run: async ({ cluster, namespace, session, path }, world, signal) => {
    const place = await world.place(cluster, namespace);
    const artifact = (await listOf(place, session, signal)).find((each) => each.path === path);
    if (artifact === undefined)
      throw new AmbientError('not_found', `session ${session} has no artifact ${path}`);
    const opening = openingOf(artifact);
    if (opening === 'binary' || opening === 'image' || opening === 'media')
      throw new AmbientError('invalid_request', `${path} is no text (${artifact.contentType})`);
    const { body } = await place.client.connection.stream(
      livePaths.artifact(place.namespace, session, path),
      {
        signal,
        accept: '*/*',
        headers: artifact.size > BYTES_MAX ? { range: `bytes=0-${BYTES_MAX - 1}` } : {},
      },
    );
    const text = new TextDecoder().decode(await bytesOf(body));
    const part = artifact.size > BYTES_MAX ? `, its first ${BYTES_MAX} of ${artifact.size} bytes` : '';
    return quoted(
      `${path} of session ${session} in ${whereOf(place)}${part}`,
      text.split('\n').map(visible).join('\n'),
    );
  },
};

async function bytesOf(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= BYTES_MAX) break;
  }
  return Buffer.concat(chunks).subarray(0, BYTES_MAX);
}
