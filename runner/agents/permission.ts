/** What people say to an agent that asks whether it may use a tool. */
export const ALLOW = 'Allow';
export const ALLOW_ALWAYS = 'Always allow';
export const DENY = 'Deny';

export const PERMISSION_ANSWERS = [ALLOW, ALLOW_ALWAYS, DENY] as const;
