import { OpenComputerError } from "@opencomputer/sdk";
import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";

/** The query of the session: null is signed out. */
export const sessionQueryKey = ["session"] as const;

/**
 * A refusal of the session shows the sign-in, whichever request met it. One that was
 * under way when the key was revoked is refused as a request with that key.
 */
export function endSessionAfter(queryClient: QueryClient, error: unknown): void {
  if (!(error instanceof OpenComputerError)) return;
  if (error.status === 401 || error.code === "invalid_api_key") {
    queryClient.setQueryData(sessionQueryKey, null);
  }
}

/** What the page has loaded, which all of its parts share. */
export function createQueryClient(): QueryClient {
  const onError = (error: unknown) => endSessionAfter(queryClient, error);
  const queryClient = new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({ onError }),
    // The SDK repeats what may be repeated.
    defaultOptions: { queries: { retry: false } },
  });
  return queryClient;
}
