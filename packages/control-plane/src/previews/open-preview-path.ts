/**
 * The one path of a preview that the gateway serves itself, and only where
 * previews need a token: it turns a link's `code` into a cookie.
 */
export const openPreviewPath = "/.opencomputer/open";
