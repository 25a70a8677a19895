import type { z } from "zod";
import type { HostCall, hostCalls } from "./host-wire.ts";

type Request<Call extends HostCall> = z.infer<(typeof hostCalls)[Call]["request"]>;
type Response<Call extends HostCall> = z.infer<(typeof hostCalls)[Call]["response"]>;

/**
 * What the worker needs root for. It takes ids, sizes and modes; which files,
 * programs, rules and users they mean is decided behind it.
 *
 * - `describe`: whether the host limits the resources of machines.
 * - `setUpNetwork`, `tearDownNetwork`: the host's packet filter, the egress
 *   address, forwarding. Both are idempotent.
 * - `listSlots`, `openSlot`, `setSlotMode`, `closeSlots`: the slots of the
 *   installation that exist on the host. A slot is opened in mode `closed`, and
 *   replaces one that exists; closing one that does not exist is no error.
 * - `startMachine`: starts the process of a machine in its slot and in a new
 *   control group. The machine's directory with its log, its disk's links and
 *   the directory of its sockets exist already.
 * - `endMachine`: kills exactly that process, if it is a machine of this
 *   installation, and returns when it has ended.
 * - `endOtherMachines`: kills every machine of this installation that is not kept.
 * - `limitMachine`, `removeGroup`, `removeGroupsBut`, `tearDownGroups`: control groups.
 * - `showLayers`: makes the layers that the process of a machine finds these, and
 *   no others. `hideLayers`: the machine has ended, and finds none.
 * - `giveLayer`: lets the user of a slot, and nobody else, write to a layer.
 * - `rebaseLayer`: makes a layer, a copy of the disk's newest one, alone have
 *   what all layers of the disk have.
 */
export type Host = {
  readonly [Call in HostCall]: (...request: Request<Call>) => Promise<Response<Call>>;
};
