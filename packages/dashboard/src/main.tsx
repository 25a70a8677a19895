import "./configure-schemas.ts";
import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { createRoot } from "react-dom/client";
import { Router } from "wouter";
import { useHashLocation } from "wouter/use-hash-location";
import { App } from "./app.tsx";
import { createQueryClient } from "./service/query-client.ts";
import "./styles.ts";
import { colorVariables, theme } from "./theme.ts";

const root = document.getElementById("root");
if (root === null) throw new Error("The page has no element #root");
// Pages are named in the fragment, which no server and no log sees: the service has one page.
createRoot(root).render(
  <QueryClientProvider client={createQueryClient()}>
    <MantineProvider theme={theme} cssVariablesResolver={colorVariables} defaultColorScheme="auto">
      <Router hook={useHashLocation}>
        <App />
      </Router>
    </MantineProvider>
  </QueryClientProvider>,
);
