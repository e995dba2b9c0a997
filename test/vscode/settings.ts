/** User settings of the VS Code under test: quiet, nothing that reaches for the network, and a chosen theme. */

export type Settings = Readonly<Record<string, unknown>>;
export type Theme = 'dark' | 'light' | 'high-contrast-dark' | 'high-contrast-light';

const THEMES: Readonly<Record<Theme, { readonly id: string; readonly cssClass: string }>> = {
  dark: { id: 'Dark Modern', cssClass: 'vs-dark' },
  light: { id: 'Light Modern', cssClass: 'vs' },
  'high-contrast-dark': { id: 'Default High Contrast', cssClass: 'hc-black' },
  'high-contrast-light': { id: 'Default High Contrast Light', cssClass: 'hc-light' },
};

export function defaultSettings(): Settings {
  return {
    'chat.disableAIFeatures': true,
    'editor.minimap.enabled': false,
    'extensions.autoCheckUpdates': false,
    'extensions.autoUpdate': false,
    'extensions.ignoreRecommendations': true,
    'git.enabled': false,
    'git.openRepositoryInParentFolders': 'never',
    'npm.autoDetect': 'off',
    'security.workspace.trust.enabled': false,
    'telemetry.telemetryLevel': 'off',
    'typescript.disableAutomaticTypeAcquisition': true,
    'update.mode': 'none',
    'window.commandCenter': false,
    'workbench.enableExperiments': false,
    'workbench.layoutControl.enabled': false,
    'workbench.secondarySideBar.defaultVisibility': 'hidden',
    'workbench.startupEditor': 'none',
    'workbench.tips.enabled': false,
    'workbench.welcomePage.experimentalOnboarding': false,
  };
}

export function themeSettings(theme: Theme): Settings {
  return { 'workbench.colorTheme': THEMES[theme].id, 'window.autoDetectColorScheme': false };
}

/** The class that the workbench carries while a theme of this kind is shown. */
export function themeClass(theme: Theme): string {
  return THEMES[theme].cssClass;
}
