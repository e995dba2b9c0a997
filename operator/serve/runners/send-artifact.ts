/** An artifact of a session as the body of an answer. */
import type { Session } from '../../../common/api/session.ts';
import type { Artifacts } from '../../sessions/artifacts.ts';
import type { Exchange } from '../http/exchange.ts';
import { sendObject } from '../http/send-object.ts';

export async function sendArtifact(
  exchange: Exchange,
  artifacts: Artifacts,
  session: Session,
  path: string,
  fileName = path,
): Promise<void> {
  await sendObject(exchange, {
    describe: async () => {
      const { size, digest, contentType, createdAt } = await artifacts.describe(session, path);
      return { size, digest, contentType, createdAt: new Date(createdAt) };
    },
    open: async (range) => {
      const { artifact, body } = await artifacts.get(session, path, range);
      return { digest: artifact.digest, body };
    },
    fileName,
  });
}
