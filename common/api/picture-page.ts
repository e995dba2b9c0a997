/** What the extension and the page that shows a picture say to each other. Types only: the page may ask for two harmless things. */

export interface PicturePageUpdates {
  picture: { name: string; contentType: string; bytes: Uint8Array };
  problem: { message: string };
}

/** `ready`: the page listens, also again after it was hidden. */
export const PICTURE_PAGE_REQUESTS = ['ready', 'openAsText', 'save'] as const;
export type PicturePageRequest = (typeof PICTURE_PAGE_REQUESTS)[number];

export type PicturePageUpdate = {
  [K in keyof PicturePageUpdates]: { type: K; payload: PicturePageUpdates[K] };
}[keyof PicturePageUpdates];
