// @ts-check

/**
 * What every bundle has in common: it is made from the sources of this
 * repository, and schemas that nothing uses are left out.
 *
 * @param {{ conditions: string[], external: string[] }} options
 * @returns {import("rolldown").InputOptions}
 */
export function bundleOptions({ conditions, external }) {
  return {
    external,
    platform: "node",
    resolve: { conditionNames: ["source", ...conditions, "default"] },
    treeshake: {
      // The members of zod's `z` only make schemas, and so do the methods of these.
      manualPureFunctions: ["z"],
      moduleSideEffects: (id) => !/[\\/]packages[\\/](protocol|sdk)[\\/]/.test(id),
    },
  };
}
