import { z } from "zod";
import type { ProcessMonitor } from "../qmp/process-monitor.ts";

const retryMilliseconds = 2000;
/** A write that fails again does so within this time. */
const retriedWriteMilliseconds = 500;
const statusSchema = z.object({ status: z.string() });
const blockErrorSchema = z.object({ action: z.string(), nospace: z.boolean().optional() });

/**
 * Resumes a machine that QEMU stopped because the host's disk is full. The
 * write that failed is still pending: each resume makes QEMU try it again, and
 * stop the machine again while there is no space, so the machine is resumed
 * repeatedly, as long as it `mayRun`.
 */
export function watchStorage(
  qmp: Pick<ProcessMonitor, "execute" | "onEvent" | "onClose" | "onReconnect">,
  mayRun: () => boolean,
): { isLacking(): boolean } {
  let isLacking = false;
  let timer: NodeJS.Timeout | undefined;

  function wait(milliseconds: number, callback: () => void): void {
    clearTimeout(timer);
    timer = setTimeout(callback, milliseconds);
    timer.unref();
  }

  function retry(): void {
    wait(retriedWriteMilliseconds, () => {
      isLacking = false;
    });
    // Its pause was asked for: the next `resume` lets it run again.
    if (!mayRun()) return;
    qmp.execute("cont", {}, z.unknown()).catch(() => wait(retryMilliseconds, retry));
  }

  qmp.onEvent("BLOCK_IO_ERROR", (data) => {
    const parsed = blockErrorSchema.safeParse(data);
    if (!parsed.success || parsed.data.action !== "stop" || parsed.data.nospace !== true) return;
    isLacking = true;
    wait(retryMilliseconds, retry);
  });
  qmp.onReconnect(() => {
    qmp.execute("query-status", {}, statusSchema).then(
      ({ status }) => {
        if (status !== "io-error") return;
        isLacking = true;
        wait(retryMilliseconds, retry);
      },
      // The connection was lost again; the next one queries again.
      () => undefined,
    );
  });
  qmp.onClose(() => {
    clearTimeout(timer);
    isLacking = false;
  });
  return { isLacking: () => isLacking };
}
