/** The schema of a policy's YAML. */
import Type from 'typebox';
import { NamespacePolicySpec } from '../../common/api/namespace-policy.ts';
import { API_VERSION, POLICY_NAME } from '../../common/api/names.ts';
import type { Schema } from '../objects/schema.ts';

/** The whole document: what Kubernetes has around the spec is told as far as one may write it. */
export const POLICY_DOCUMENT: Schema = Type.Object({
  apiVersion: Type.Enum([API_VERSION]),
  kind: Type.Enum(['NamespacePolicy']),
  metadata: Type.Object({
    name: Type.Enum([POLICY_NAME], { description: 'A namespace has one policy, of this name.' }),
    namespace: Type.String({ description: 'Whose policy it is.' }),
    resourceVersion: Type.Optional(
      Type.String({ description: 'Of what was read: applying over a later change is refused.' }),
    ),
    labels: Type.Optional(Type.Record(Type.String(), Type.String())),
    annotations: Type.Optional(Type.Record(Type.String(), Type.String())),
  }),
  spec: NamespacePolicySpec,
});
