/**
 * What the guest's kernel is started with.
 *
 * - A panic ends the machine at once instead of leaving it hanging.
 * - The guest is one trust domain behind the machine's boundary, so the
 *   costly separation of its processes by the kernel is off.
 * - Nothing runs or writes without need: no huge pages behind an
 *   application's back, no zeroing ahead of use, no watchdog.
 * - Memory that is plugged in comes online by itself and can be taken away.
 *   No 64 MB of bounce buffers are kept for devices that could not reach it.
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
