import type { Handler } from "@opencomputer/harness";
import { createGitServer } from "./git-server.ts";

/** The host whose key the examples of the guide use. */
export const guideHost = "api.anthropic.com";
const gitHost = "github.com";
const gitUser = { user: "reader", password: "of the guide" };

/** The hosts that the examples of the guide send requests to, for `startSharedScenario`. */
export interface GuideHosts {
  readonly hosts: string[];
  readonly handler: Handler;
  close(): Promise<void>;
}

export async function openGuideHosts(): Promise<GuideHosts> {
  const git = await createGitServer(gitUser);
  const credentials = Buffer.from(`${gitUser.user}:${gitUser.password}`).toString("base64");
  return {
    hosts: [guideHost, gitHost],
    handler(request, response, body) {
      if (request.headers.host !== gitHost) {
        response.end('{"ok":true}\n');
        return;
      }
      // A public repository, at the address that the guide clones.
      request.url = request.url?.replace("/org/repo", "/repository.git");
      request.headers.authorization = `Basic ${credentials}`;
      git.handle(request, response, body);
    },
    close: () => git.close(),
  };
}
