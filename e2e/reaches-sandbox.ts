import assert from "node:assert/strict";
import { OpenComputerError, type Sandbox } from "@opencomputer/sdk";

/** Whether the service reaches the sandbox: it does again once it is back. */
export async function reaches(sandbox: Sandbox): Promise<boolean> {
  try {
    await sandbox.exec.list();
    return true;
  } catch (error) {
    assert.ok(error instanceof OpenComputerError, String(error));
    return false;
  }
}
