import { z } from "zod";
import type { ProcessMonitor } from "./process-monitor.ts";

const retryMilliseconds = 2000;
/** A write that fails again does so within this time. */
const settleMilliseconds = 500;
const statusSchema = z.object({ status: z.string() });
const blockErrorSchema = z.object({ action: z.string(), nospace: z.boolean().optional() });

/**
 * A machine that writes to a full disk of the host is stopped by QEMU, with
 * the write still to be done. Told to go on, QEMU tries the write anew, and
 * stops the machine anew when there is still no space: so it is told again and
 * again, as long as it `mayRun`.
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
    wait(settleMilliseconds, () => {
      isLacking = false;
    });
    // Whoever stopped it lets it run again.
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
      // The connection was lost again, and the next one asks again.
      () => undefined,
    );
  });
  qmp.onClose(() => {
    clearTimeout(timer);
    isLacking = false;
  });
  return { isLacking: () => isLacking };
}
