import { Button, Container, PasswordInput, Stack, Text, Title } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { ErrorAlert } from "../parts/error-alert.tsx";
import { usePageTitle } from "../parts/page.tsx";
import { sessionQueryKey } from "../service/query-client.ts";
import { signIn } from "./session.ts";

export function SignIn() {
  usePageTitle("Sign in");
  const client = useQueryClient();
  const [apiKey, setApiKey] = useState("");
  const signingIn = useMutation({
    mutationFn: signIn,
    onSuccess: (session) => client.setQueryData(sessionQueryKey, session),
  });
  return (
    <Container component="main" size="xs" py="xl">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          signingIn.mutate(apiKey);
        }}
      >
        <Stack>
          <Title order={1}>OpenComputer</Title>
          <Text>
            Sign in with an API key. The service exchanges it for a session of 12 hours; the browser
            does not keep the key.
          </Text>
          <PasswordInput
            label="API key"
            description="osb_ and 64 hexadecimal digits. At its start, the service prints where the first key is."
            autoComplete="off"
            spellCheck={false}
            required
            value={apiKey}
            onChange={(event) => setApiKey(event.currentTarget.value)}
          />
          <ErrorAlert error={signingIn.error} />
          <Button type="submit" loading={signingIn.isPending}>
            Sign in
          </Button>
        </Stack>
      </form>
    </Container>
  );
}
