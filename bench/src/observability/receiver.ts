import { createServer } from "node:http";
import { z } from "zod";
import { runPeer } from "../egress/peers/run-peer.ts";

// What an operator's collector and the receiver of a webhook are for the service: a separate
// process that takes everything.
runPeer(z.object({}), () =>
  createServer((request, response) => {
    request.resume();
    request.once("end", () => response.writeHead(200).end());
  }),
);
