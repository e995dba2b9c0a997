/** What a caller may do: Kubernetes RBAC, asked for each request and remembered for some seconds. */
import { createHash } from 'node:crypto';
import type { AccessDecision, ResourceAttributes, Subject } from '../../../common/kube/access.ts';
import { Answers } from './answers.ts';
import type { Caller } from './caller.ts';

/** KubeClient is one. */
export interface AccessReviewer {
  subjectAccessReview(
    subject: Subject,
    attributes: ResourceAttributes,
    options?: { signal?: AbortSignal },
  ): Promise<AccessDecision>;
}

export interface AccessReviewsOptions {
  reviewer: AccessReviewer;
  elapsed: () => number;
}

/** A right that was taken away is good for so long at most. */
const ALLOWED_MS = 10_000;
/** Whoever was given one tries again at once. */
const DENIED_MS = 3_000;
const REMEMBERED = 20_000;
const PATIENCE_MS = 10_000;

export class AccessReviews {
  readonly #reviewer: AccessReviewer;
  readonly #answers: Answers<boolean>;

  constructor({ reviewer, elapsed }: AccessReviewsOptions) {
    this.#reviewer = reviewer;
    this.#answers = new Answers({ most: REMEMBERED, elapsed });
  }

  /** KubeError when the API server does not say. */
  async allows({ name, uid, groups, extra }: Caller, attributes: ResourceAttributes): Promise<boolean> {
    const { verb, group, resource, subresource, namespace, name: of } = attributes;
    const question = [name, uid, groups, extra, verb, group, resource, subresource, namespace, of];
    const key = createHash('sha256').update(JSON.stringify(question)).digest('base64');
    return await this.#answers.of(key, async () => {
      const subject = { user: name, groups, extra, ...(uid === undefined ? {} : { uid }) };
      const { allowed } = await this.#reviewer.subjectAccessReview(subject, attributes, {
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      return { value: allowed, forMs: allowed ? ALLOWED_MS : DENIED_MS };
    });
  }
}
