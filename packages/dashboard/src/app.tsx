import { Center, Loader } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { ErrorAlert } from "./parts/error-alert.tsx";
import { sessionQueryKey } from "./service/query-client.ts";
import { readSession } from "./session/session.ts";
import { SignIn } from "./session/sign-in.tsx";
import { Shell } from "./shell.tsx";

/** How soon another tab's sign-out shows where nothing else is asked of the service. */
const sessionPollMilliseconds = 60_000;

/** The sign-in, or the pages of who has signed in. */
export function App() {
  const session = useQuery({
    queryKey: sessionQueryKey,
    queryFn: readSession,
    refetchInterval: sessionPollMilliseconds,
  });
  if (session.data === null) return <SignIn />;
  if (session.data !== undefined) return <Shell session={session.data} />;
  return (
    <Center component="main" h="100vh" p="md">
      {session.isPending ? <Loader aria-label="Loading" /> : <ErrorAlert error={session.error} />}
    </Center>
  );
}
