/** Which sessions there are, newest first. */
import Type from 'typebox';
import { sessions } from '../../common/kube/resource.ts';
import { plain } from '../ide/plain-text.ts';
import { lastMoment, needsInput, STATE_WORDS, stateOf, titleOf } from '../sessions/state.ts';
import { placeFields, whereOf } from './place.ts';
import type { PlaceInput } from './place.ts';
import type { SessionTool } from './tool.ts';

interface ListInput extends PlaceInput {
  limit?: number;
}

const LIMIT = 50;

export const listTool: SessionTool<ListInput> = {
  name: 'ambient_list_sessions',
  title: 'List Ambient Sessions',
  description:
    'Lists AI agent sessions in a Kubernetes namespace, newest first: name, title, state, who launched each, what it says. Use it to find the name of a session for the other tools.',
  input: Type.Object(
    {
      ...placeFields,
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: LIMIT })),
    },
    { additionalProperties: false },
  ),
  isReadOnly: true,
  run: async ({ cluster, namespace, limit = LIMIT }, world, signal) => {
    const place = await world.place(cluster, namespace);
    const { items } = await place.client.list(sessions, { namespace: place.namespace }, { signal });
    const shown = items.sort((a, b) => lastMoment(b) - lastMoment(a)).slice(0, limit);
    if (shown.length === 0) return `There are no sessions in ${whereOf(place)}.`;
    const lines = shown.map((session) =>
      JSON.stringify({
        name: session.metadata.name,
        title: plain(titleOf(session), 200),
        state: STATE_WORDS[stateOf(session)],
        framework: session.spec.framework.type,
        launchedBy: session.spec.createdBy?.user,
        created: session.metadata.creationTimestamp,
        asks: needsInput(session),
        message: plain(session.status?.message ?? '', 300) || undefined,
        cost: session.status?.cost?.total,
        artifacts: session.status?.artifacts?.count,
      }),
    );
    const all = items.length > shown.length ? `, the newest ${shown.length} of ${items.length}` : '';
    return `Sessions in ${whereOf(place)}${all}:\n${lines.join('\n')}`;
  },
};
