import {
  countResources,
  countRows,
  type RunningInstallation,
  readProportionalMemory,
} from "@opencomputer/harness";

const mebibyte = 1024 ** 2;

/** What an installation holds at one moment. */
export interface Measurement {
  /** Such as `after quarter 1`. */
  readonly moment: string;
  /** Proportional set size by process of the service, and of its machines together, in bytes. */
  readonly memory: Record<string, number>;
  /** Processes, descriptors, namespaces, rules, files and rows. */
  readonly counts: Record<string, number>;
}

export async function measure(
  installation: RunningInstallation,
  moment: string,
): Promise<Measurement> {
  const rows = Object.entries(await countRows(installation));
  return {
    moment,
    memory: await readProportionalMemory(installation),
    counts: {
      ...(await countResources(installation)),
      ...Object.fromEntries(rows.map(([table, count]) => [`rows of ${table}`, count])),
    },
  };
}

/** Memory of all processes of the service, without the machines, in bytes. */
export function serviceMemory({ memory }: Measurement): number {
  return Object.entries(memory)
    .filter(([name]) => name !== "machines")
    .reduce((sum, [, bytes]) => sum + bytes, 0);
}

/** A row a figure, a column a moment. */
export function formatMeasurements(measurements: readonly Measurement[]): string {
  const names = (of: (one: Measurement) => Record<string, number>) => [
    ...new Set(measurements.flatMap((one) => Object.keys(of(one)))),
  ];
  const inMebibytes = (bytes: number | undefined) =>
    bytes === undefined ? "" : (bytes / mebibyte).toFixed(1);
  const rows = [
    ["", ...measurements.map(({ moment }) => moment)],
    ...names(({ memory }) => memory).map((name) => [
      `${name}, MiB`,
      ...measurements.map(({ memory }) => inMebibytes(memory[name])),
    ]),
    ["service, MiB", ...measurements.map((one) => inMebibytes(serviceMemory(one)))],
    ...names(({ counts }) => counts).map((name) => [
      name,
      ...measurements.map(({ counts }) => String(counts[name] ?? 0)),
    ]),
  ];
  return rows.map((row) => `| ${row.join(" | ")} |`).join("\n");
}
