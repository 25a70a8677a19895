import {
  copyTemplate,
  type RunningInstallation,
  removeDataDirectory,
  startInstallation,
} from "@opencomputer/harness";

/** Works with an installation of its own, which is removed afterwards. */
export async function withInstallation<Result>(
  environment: Record<string, string>,
  work: (installation: RunningInstallation) => Promise<Result>,
): Promise<Result> {
  const dataDirectory = await copyTemplate();
  try {
    const installation = await startInstallation({ dataDirectory, environment });
    try {
      return await work(installation);
    } finally {
      await installation.stop();
    }
  } finally {
    await removeDataDirectory(dataDirectory);
  }
}
