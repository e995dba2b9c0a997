/** What stands on the tab of a page. */
import { plain } from '../ide/plain-text.ts';

export const tabTitle = (title: string): string => plain(title, 60);
