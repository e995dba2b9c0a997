/** The label of a Job that tells which state of which policy it was made under. */
import type { ObjectMeta } from '../../../common/api/kubernetes.ts';

export const policyLabel = ({ uid = '', generation = 0 }: ObjectMeta): string => `${uid}.${generation}`;
