/** The schema of a trigger's YAML. */
import Type from 'typebox';
import type { TSchema } from 'typebox';
import { API_VERSION } from '../../common/api/names.ts';
import { SessionTriggerSpec } from '../../common/api/session-trigger.ts';
import type { Schema } from '../objects/schema.ts';

/** What Kubernetes has around the spec is told as far as one may write it. */
const document: TSchema = Type.Object({
  apiVersion: Type.Enum([API_VERSION]),
  kind: Type.Enum(['SessionTrigger']),
  metadata: Type.Object({
    name: Type.String({ description: 'What sessions that it makes are told to come from.' }),
    namespace: Type.String({ description: 'Where its sessions run.' }),
    resourceVersion: Type.Optional(
      Type.String({ description: 'Of what was read: applying over a later change is refused.' }),
    ),
    labels: Type.Optional(Type.Record(Type.String(), Type.String())),
    annotations: Type.Optional(Type.Record(Type.String(), Type.String())),
  }),
  spec: SessionTriggerSpec,
});

// What is free in it, the framework's config, has no type of its own that could be compared.
export const TRIGGER_DOCUMENT = document as Schema;
