import { type DashboardSession, dashboardSessionSchema } from "@opencomputer/protocol/api";
import { OpenComputerError } from "@opencomputer/sdk";
import { callService, tellService } from "../service/call-service.ts";

const path = "/dashboard/session";

/** The session of this browser; null when there is none. */
export async function readSession(): Promise<DashboardSession | null> {
  try {
    return await callService({ method: "GET", path }, dashboardSessionSchema);
  } catch (error) {
    if (error instanceof OpenComputerError && error.status === 401) return null;
    throw error;
  }
}

/** Exchanges an API key for the session's cookie. The key is kept nowhere in the browser. */
export function signIn(apiKey: string): Promise<DashboardSession> {
  return callService({ method: "POST", path, body: { apiKey } }, dashboardSessionSchema);
}

export function signOut(): Promise<void> {
  return tellService("DELETE", path);
}
