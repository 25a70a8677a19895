import { test } from "node:test";
import { runProgram } from "../process/run-program.ts";
import { newMachineShape } from "./machine-shape.ts";

test("QEMU emulates every feature of the processor model", async () => {
  const { machineType, processorModel } = newMachineShape("tcg", 1024);
  const machine = ["-machine", machineType, "-accel", "tcg", "-cpu", processorModel, "-S"];
  const options = ["-nodefaults", "-no-user-config", "-display", "none", "-monitor", "stdio"];
  await runProgram("qemu-system-x86_64", [...machine, ...options], { input: "quit\n" });
});
