/**
 * The model gateway, as pods and policies see it. Below the runners' address, `/models/{provider}/` stands for the provider's own
 * base address; what follows is the provider's own path. The pod's token is sent as the provider's own kind of key.
 */

export const MODEL_PROVIDERS = ['anthropic', 'openai', 'gemini'] as const;
export type ModelProvider = (typeof MODEL_PROVIDERS)[number];

/** Where the provider's own paths begin, at the runners' address. */
export const MODELS_PATH = '/models';

/** Who is asked where a policy names no other address. */
export const PROVIDER_URLS: Readonly<Record<ModelProvider, string>> = {
  anthropic: 'https://api.anthropic.com',
  openai: 'https://api.openai.com',
  gemini: 'https://generativelanguage.googleapis.com',
};

export const isModelProvider = (name: string | undefined): name is ModelProvider =>
  (MODEL_PROVIDERS as readonly (string | undefined)[]).includes(name);
