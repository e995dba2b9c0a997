/** What kubeconfig-file.ts needs of `yaml`: a module of ours, since a bundler gives a dynamic import of CommonJS no named exports. */
export { parseDocument } from 'yaml';
