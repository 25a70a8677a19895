/** Whether this is `npm run test:full`: all sizes, versions and repetitions instead of the quick ones. */
export const isFullRun = process.env["OPENCOMPUTER_TEST_FULL"] === "1";
