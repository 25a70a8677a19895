// Answers TCP and echoes UDP at each `address:port` given, until its input ends.
// At an `address:port:echo` it echoes TCP as well, for as long as the connection lasts.
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

for (const [address, port, manner] of process.argv.slice(2).map((text) => text.split(":"))) {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    if (manner === "echo") socket.pipe(socket);
    else socket.end("answered");
  });
  server.listen(Number(port), address);
  const echo = createSocket("udp4");
  echo.on("message", (bytes, from) => echo.send(bytes, from.port, from.address));
  echo.bind(Number(port), address);
}
process.stdin.on("end", () => process.exit());
process.stdin.resume();
process.stdout.write("listening\n");
