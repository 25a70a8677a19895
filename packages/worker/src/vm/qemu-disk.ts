import { basename, extname } from "node:path";
import { z } from "zod";
import { type QmpClient, QmpRefusal } from "../qmp/qmp-client.ts";
import { qemuNames } from "./qemu-arguments.ts";
import type { VirtualMachine } from "./virtual-machine.ts";

const blockDevicesSchema = z.array(
  z.object({
    inserted: z.object({ "node-name": z.string(), file: z.string() }).optional(),
  }),
);
const blockNodesSchema = z.array(
  z.object({
    "node-name": z.string(),
    drv: z.string(),
    file: z.string(),
  }),
);
const mebi = 1024 * 1024;

/**
 * The disk of a machine: a chain of QEMU's block nodes, each reading from the
 * next what it does not have.
 */
export function qemuDisk(
  qmp: QmpClient,
): Pick<VirtualMachine, "diskPath" | "growDisk" | "writeInto" | "replaceUnder"> {
  async function top(): Promise<{ node: string; file: string }> {
    const devices = await qmp.execute("query-block", {}, blockDevicesSchema);
    const inserted = devices.find((device) => device.inserted !== undefined)?.inserted;
    if (inserted === undefined) throw new Error("The machine has no disk");
    return { node: inserted["node-name"], file: inserted.file };
  }

  const listNodes = () => qmp.execute("query-named-block-nodes", { flat: true }, blockNodesSchema);
  const remove = (node: string) => qmp.execute("blockdev-del", { "node-name": node }, z.unknown());

  /** Adds a node for a file, and removes it again when QEMU refuses its use. */
  async function withNode(
    path: string,
    options: { backing: string | null; "read-only": boolean },
    use: (node: string) => Promise<unknown>,
  ): Promise<void> {
    const node = nodeOf(path);
    await qmp.execute(
      "blockdev-add",
      { ...nodeOptions(node, fileNode(node, path)), ...options },
      z.unknown(),
    );
    try {
      await use(node);
    } catch (error) {
      if (error instanceof QmpRefusal) await remove(node);
      throw error;
    }
  }

  return {
    async diskPath() {
      return (await top()).file;
    },

    async growDisk(diskMB) {
      await qmp.execute(
        "block_resize",
        { "node-name": (await top()).node, size: diskMB * mebi },
        z.unknown(),
      );
    },

    async writeInto(path) {
      const { node } = await top();
      await withNode(path, { backing: null, "read-only": false }, (overlay) =>
        qmp.execute("blockdev-snapshot", { node, overlay }, z.unknown()),
      );
    },

    async replaceUnder({ layerPath: path, basePath, replaced }) {
      const { node } = await top();
      const base = (await listNodes()).find(
        ({ drv, file }) => drv === "qcow2" && file === basePath,
      );
      if (base === undefined) throw new Error(`The machine's disk does not lie on ${basePath}`);
      await withNode(path, { backing: base["node-name"], "read-only": true }, (backing) =>
        qmp.execute(
          "blockdev-reopen",
          { options: [{ ...nodeOptions(node, fileNodeName(node)), backing }] },
          z.unknown(),
        ),
      );
      await qmp.execute(
        "change-backing-file",
        { device: node, "image-node-name": node, "backing-file": basename(path) },
        z.unknown(),
      );
      // Each node holds those under it. The one that the machine was started with has another kind of name.
      const present = new Set((await listNodes()).map((found) => found["node-name"]));
      for (const former of [...replaced.map(nodeOf), qemuNames.disk]) {
        if (former !== node && present.has(former)) await remove(former);
      }
    },
  };
}

const nodeOf = (path: string) => `layer-${basename(path, extname(path))}`;
const fileNodeName = (node: string) => `${node}-file`;

function fileNode(node: string, path: string) {
  return { driver: "file", "node-name": fileNodeName(node), filename: path, discard: "unmap" };
}

/** All options of a node: QEMU resets those that are left out. */
function nodeOptions(node: string, file: string | ReturnType<typeof fileNode>) {
  return { driver: "qcow2", "node-name": node, discard: "unmap", file };
}
