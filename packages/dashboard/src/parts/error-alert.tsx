import { Alert } from "@mantine/core";

/** What was refused, in the service's own words; nothing while there is no error. */
export function ErrorAlert({ error }: { error: Error | null }) {
  if (error === null) return null;
  return (
    <Alert role="alert" color="red" variant="outline" title="This did not work">
      {error.message}
    </Alert>
  );
}
