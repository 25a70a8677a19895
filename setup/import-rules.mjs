// @ts-check

/**
 * @typedef {import("dependency-cruiser").IForbiddenRuleType} Rule
 * @typedef {import("dependency-cruiser").DependencyType} DependencyType
 */

/** What no process of the service runs. */
export const testFiles = String.raw`\.test\.(ts|mjs)$|/testing/|^(harness|quickstart|e2e|bench)/`;

const api = "packages/protocol/src/api";
const protocol = "packages/protocol";
const ofProcesses = [protocol, "packages/process"];
const ofClients = [protocol, "packages/sdk", "harness"];

/**
 * What each package imports of the other packages. Processes never import each
 * other's code: they meet on a wire, whose shapes are in `protocol`. Tests
 * start the service as processes and use it through the SDK.
 *
 * @type {Record<string, string[]>}
 */
const packageImports = {
  [protocol]: [],
  "packages/process": [protocol],
  "packages/control-plane": ofProcesses,
  "packages/worker": ofProcesses,
  "packages/egress-proxy": ofProcesses,
  "packages/standalone": ofProcesses,
  "packages/sdk": [api],
  "packages/sdk/src/testing": ["packages/sdk", protocol],
  "packages/cli": ["packages/sdk", api],
  "packages/dashboard": ["packages/sdk", api],
  "guest-image": [protocol],
  harness: [protocol, "packages/sdk"],
  quickstart: ofClients,
  bench: ofClients,
  e2e: ofClients,
};

/**
 * The folders of each package in layers. A folder imports from the lines below
 * its own, never from the same line or one above. Files directly in `src`, such
 * as `main.ts`, put the folders together and are in no layer.
 *
 * @type {Record<string, string[]>}
 */
const layers = {
  "packages/protocol/src": ["wire", "api"],
  "packages/control-plane/src": [
    "http carry-over key-rotation",
    "sandboxes/service",
    "checkpoints preview-gateway secret-stores signed-urls",
    "sandboxes/create secret-copies",
    "images",
    "sandboxes",
    "egress-log egress-sessions patches previews projects secret-layers usage webhooks",
    "certificate-authority former-secrets orgs secret-kinds worker",
    "egress-proxy sandboxes/rows vault",
    "events",
    "concurrency data-directory database peers",
  ],
  "packages/worker/src": [
    "api host",
    "start cgroups idempotency",
    "golden metadata use",
    "sandboxes",
    "sandboxes/life",
    "sandboxes/machine",
    "sandboxes/registry",
    "saved-machines scaling usage warm-pool",
    "machines",
    "host-calls guest",
    "vm",
    "saved-memory",
    "network disks qmp",
    "files",
    "process",
  ],
  "packages/egress-proxy/src": [
    "explain",
    "streams",
    "control-api exchange resolver",
    "egress-log listeners sessions websocket",
    "audit certificates metrics",
    "egress-policy",
    "token-substitution redaction content-coding",
    "aws-signature",
    "upstream http1 http2",
    "http logging turns",
  ],
  "packages/standalone/src": ["audit backup development", "database", "process", "installation"],
  "packages/sdk/src": ["sandbox", "image terminals", "commands files", "request", "platform"],
  "packages/dashboard/src": [
    "sandbox",
    "checkpoints egress events files previews terminal projects secret-stores",
    "sandboxes secrets images keys node session webhooks",
    "usage",
    "parts",
    "oc-command service",
  ],
  "packages/cli/src": ["commands", "arguments config output"],
  "guest-image/src": ["agent disk image kernel randomness trust", "root"],
  "bench/src": [
    "api clients dashboard events life observability previews scaling terminals",
    "egress sandboxes",
  ],
};

/** @param {string[]} folders */
const within = (...folders) => folders.map((folder) => `^${folder}/`);

/**
 * The places that lie within another one, and have rules of their own.
 *
 * @param {string} place
 * @param {string[]} places
 */
const placesWithin = (place, places) => places.filter((other) => other.startsWith(`${place}/`));

const packages = Object.keys(packageImports);
const packageRules = packages.map((name) => {
  const imports = packageImports[name] ?? [];
  return {
    name: `${name} imports ${imports.length === 0 ? "no other package" : `only ${imports.join(", ")}`}`,
    comment: "packageImports in setup/import-rules.mjs has what each package imports",
    from: { path: within(name), pathNot: within(...placesWithin(name, packages)) },
    to: { path: within(...packages), pathNot: within(name, ...imports) },
  };
});

const layerRules = Object.entries(layers).flatMap(([root, lines]) => {
  const placesOf = (/** @type {string[]} */ some) =>
    some.flatMap((line) => line.split(" ").map((folder) => `${root}/${folder}`));
  const places = placesOf(lines);
  /** A pattern of the files of a place, without those of the places within it. */
  const filesOf = (/** @type {string} */ place) => {
    const inner = placesWithin(place, places).map((other) => other.slice(place.length + 1));
    return inner.length === 0 ? `^${place}/` : `^${place}/(?!(${inner.join("|")})/)`;
  };
  const rules = lines.flatMap((line, index) =>
    placesOf([line]).map((place) => ({
      name: `${place} imports from the layers below it only`,
      comment: "layers in setup/import-rules.mjs has the order",
      from: { path: filesOf(place), pathNot: testFiles },
      to: {
        path: `^${root}/[^/]+/`,
        pathNot: [place, ...placesOf(lines.slice(index + 1))].map(filesOf),
      },
    })),
  );
  const unplaced = {
    name: `each folder of ${root} has a layer`,
    comment: "Add the folder to `layers` in setup/import-rules.mjs",
    from: { path: `^${root}/[^/]+/`, pathNot: [...within(...places), testFiles] },
    to: {},
  };
  return [...rules, unplaced];
});

/** Rules for every file, tests included, as dependency-cruiser has them. */
export const importRules = [
  {
    name: "no cycle between files",
    comment: "Move what both files need into a third one, or one file into the other",
    from: {},
    to: { circular: true },
  },
  {
    name: "the service imports nothing that only tests use",
    from: { pathNot: testFiles },
    to: { path: testFiles },
  },
  {
    name: "protocol imports the schema library only",
    from: { path: `^${protocol}/`, pathNot: testFiles },
    to: {
      dependencyTypes: /** @type {DependencyType[]} */ (["core", "npm"]),
      pathNot: `^node_modules/zod/|^${protocol}/`,
    },
  },
  {
    name: "every import is found",
    from: {},
    to: { couldNotResolve: true },
  },
  {
    name: "a package declares what it imports",
    from: {},
    to: {
      path: "node_modules/",
      dependencyTypes: /** @type {DependencyType[]} */ (["npm-no-pkg", "npm-unknown"]),
    },
  },
  ...packageRules,
  ...layerRules,
].map((rule) => ({ ...rule, severity: /** @type {const} */ ("error") }));

/** Tests are left out: they may import from anywhere in their package. */
export const folderRule = {
  name: "no cycle between folders",
  comment: "Move what both folders need into a folder below them",
  severity: /** @type {const} */ ("error"),
  scope: /** @type {const} */ ("folder"),
  from: {},
  to: { circular: true },
};
