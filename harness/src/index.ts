export * from "./certificates.ts";
export * from "./installation.ts";
export * from "./internet.ts";
export * from "./leak-search.ts";
export * from "./leftovers.ts";
export * from "./machines.ts";
export * from "./scenario.ts";
export * from "./template.ts";
