/**
 * What a session has said where its event came from (operator/record/notifications/answers.ts), heard again as an event. With
 * the token of a person it looks like anybody's words, and a session for it would answer itself without end.
 */

const OWN =
  /^Session [`{]{0,2}[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}[`}]{0,2} (?:of trigger |has started|is completed|has failed)/;

export const isOwnAnswer = (text: string | undefined): boolean => text !== undefined && OWN.test(text);
