import { type Command, InvalidArgumentError } from "commander";
import { z } from "zod";
import { defineCommand, readOptions } from "../../arguments/define-command.ts";
import { wholeNumber } from "../../arguments/option-parsers.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";

const optionsSchema = z.object({ http: z.number().optional() });

/** Adds `oc mcp`, which loads the protocol's SDK only when it runs. */
export function addMcp(parent: Command, context: CliContext): void {
  defineCommand(parent, "mcp", {
    summary: "Serve sandboxes to an agent over the Model Context Protocol",
    examples: [
      "oc mcp                # on stdin and stdout, as the configuration of an agent starts it",
      "oc mcp --http 8931    # at http://127.0.0.1:8931/mcp, for clients that send the API key",
    ],
  })
    .option(
      "--http <port>",
      "serve HTTP on this port of 127.0.0.1 instead of stdin and stdout; 0 chooses a free one",
      portNumber,
    )
    .action(async (_options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const { http } = readOptions(command, optionsSchema);
      const connection = await invocation.connection();
      const { createMcpServer } = await import("./create-mcp-server.ts");
      const createServer = () => createMcpServer(connection, context.version);
      if (http !== undefined) {
        const { serveHttp } = await import("./serve-http.ts");
        const served = await serveHttp({ createServer, port: http, apiKey: connection.apiKey });
        invocation.print(`Serving MCP at ${served.url}`, { url: served.url });
        await untilSignal(context);
        return await served.close();
      }
      const { serveStdio } = await import("./serve-stdio.ts");
      if (context.stdin.isTTY === true) {
        invocation.note(
          "Serving MCP on stdin and stdout. An agent starts this command; Ctrl-D ends it",
        );
      }
      await serveStdio(createServer(), {
        stdin: context.stdin,
        stdout: context.stdout,
        onFault: (text) => invocation.note(text),
      });
    });
}

function portNumber(text: string): number {
  const port = wholeNumber(text);
  if (port > 65_535) throw new InvalidArgumentError("Expected a port from 0 to 65535.");
  return port;
}

async function untilSignal({ signals }: CliContext): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) signals.on(name, () => resolve());
  });
}
