// @ts-check
import process from "node:process";

// `npm pack` and `npm publish` run this in the folder of a workspace, whose code imports other
// workspaces: a package of it would not install anywhere.
process.stderr.write(
  "This folder is not what is published: its code imports other packages of the repository. Run `npm run pack` in the root of the repository, which bundles them, and use the tarballs in packed/.\n",
);
process.exitCode = 1;
