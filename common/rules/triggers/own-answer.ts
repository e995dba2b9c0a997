/**
 * What the operator has said in the name of a session, heard again as an event: with the token of a person it looks like anybody's
 * words, and a session for it would go on without end. Answers are written in operator/record/notifications/answers.ts, pull
 * requests in operator/record/pull-requests/opener.ts.
 */

const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const ANSWER = new RegExp(
  `^Session [\`{]{0,2}${UUID}[\`}]{0,2} (?:of trigger |has started|is completed|has failed)`,
);
const PULL_REQUEST = /^Changes of session `[a-z0-9.-]+` in namespace /;

export const isOwnAnswer = (text: string | undefined): boolean => text !== undefined && ANSWER.test(text);
export const isOwnPullRequest = (text: string | undefined): boolean =>
  text !== undefined && PULL_REQUEST.test(text);
