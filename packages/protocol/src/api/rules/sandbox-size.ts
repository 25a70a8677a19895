import { z } from "zod";
import { limits } from "../limits.ts";

/** CPUs of a sandbox. */
export const cpuCountSchema = z.int().min(limits.cpuCountMin).max(limits.cpuCountMax);
/** Memory of a sandbox in MB. */
export const memoryMBSchema = z.int().min(limits.memoryMBMin).max(limits.memoryMBMax);

// Clients send 0 for what their caller does not choose.
export const chosenCpuCountSchema = z.union([z.literal(0), cpuCountSchema]);
export const chosenMemoryMBSchema = z.union([z.literal(0), memoryMBSchema]);
