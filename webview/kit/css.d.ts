/** Style sheets are imported for esbuild, which bundles them beside the page's script. */
declare module '*.css';
