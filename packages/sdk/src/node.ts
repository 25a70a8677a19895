/**
 * The SDK for Node.js: all of `@opencomputer/sdk`, the very same objects, and
 * what needs more of the machine than a browser gives.
 */
export * from "./index.ts";
