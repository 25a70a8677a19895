/**
 * The command line of the guest's kernel.
 *
 * - A panic ends the machine at once instead of leaving it hanging.
 * - The guest is a single trust domain behind the machine's boundary, so the
 *   costly mitigations between its processes are off.
 * - Nothing runs or writes without need: no huge pages unless an application
 *   asks for them, no zeroing ahead of use, no watchdog.
 * - Hot-plugged memory comes online by itself and can be removed. No 64 MB of
 *   bounce buffers are reserved for devices that could not reach it.
 */
export const kernelCommandLine = [
  "console=ttyS0",
  "quiet",
  "loglevel=4",
  "root=/dev/vda",
  "rw",
  "panic=-1",
  "mitigations=off",
  "net.ifnames=0",
  "memhp_default_state=online_movable",
  "transparent_hugepage=madvise",
  "init_on_alloc=0",
  "nowatchdog",
  "audit=0",
  "apparmor=0",
  "random.trust_cpu=on",
  "no_timer_check",
  "cryptomgr.notests",
  "8250.nr_uarts=1",
  "swiotlb=noforce",
].join(" ");
