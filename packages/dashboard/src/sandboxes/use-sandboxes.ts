import { Sandbox } from "@opencomputer/sdk";
import { useQuery } from "@tanstack/react-query";
import { connection } from "../service/connection.ts";

const pollMilliseconds = 3_000;

/** The org's sandboxes, read again every few seconds while the page is visible. Reading keeps no sandbox awake. */
export function useSandboxes() {
  return useQuery({
    queryKey: ["sandboxes"],
    queryFn: ({ signal }) => Sandbox.list({ ...connection, signal }),
    refetchInterval: pollMilliseconds,
  });
}
