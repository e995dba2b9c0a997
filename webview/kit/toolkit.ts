/** The only file that knows the component library: pages use the functions of elements.ts and never its elements. */
// Its badge is left out: the template holds a style attribute, which the pages' policy refuses.
import {
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeDivider,
  vsCodeProgressRing,
} from '@vscode/webview-ui-toolkit';

provideVSCodeDesignSystem().register(vsCodeButton(), vsCodeDivider(), vsCodeProgressRing());
