// Answers TCP and echoes UDP at each `address:port` given, until its input ends.
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

for (const [address, port] of process.argv.slice(2).map((text) => text.split(":"))) {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.end("answered");
  });
  server.listen(Number(port), address);
  const echo = createSocket("udp4");
  echo.on("message", (octets, from) => echo.send(octets, from.port, from.address));
  echo.bind(Number(port), address);
}
process.stdin.on("end", () => process.exit());
process.stdin.resume();
process.stdout.write("listening\n");
