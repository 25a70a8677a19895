import type { AwsCredentials } from "@opencomputer/sdk";
import { parseLines } from "../parts/parse-lines.ts";

/** The fields of the form that sets a secret, as they are typed. */
export interface SecretForm {
  name: string;
  kind: "value" | "aws";
  value: string;
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  /** One host in each line; empty leaves those that it has. */
  allowedHosts: string;
  /** One placement in each line; empty leaves those that it has. */
  placements: string;
}

export const emptySecretForm: SecretForm = {
  ...{ name: "", kind: "value", value: "" },
  ...{ accessKeyId: "", secretAccessKey: "", sessionToken: "", allowedHosts: "", placements: "" },
};

/** What is sent as the secret's value. */
export function secretValue(form: SecretForm): string | AwsCredentials {
  if (form.kind === "value") return form.value;
  const { accessKeyId, secretAccessKey, sessionToken } = form;
  return { accessKeyId, secretAccessKey, ...(sessionToken === "" ? {} : { sessionToken }) };
}

/** The limits that the form sets; an absent one is not changed. */
export function secretLimits(form: SecretForm) {
  const listOf = (text: string) => (text.trim() === "" ? undefined : parseLines(text));
  return { allowedHosts: listOf(form.allowedHosts), substituteIn: listOf(form.placements) };
}

/** The command line that sets the same secret. It asks for the value, which is in no command line. */
export function setSecretCommand(ownerId: string, form: SecretForm): string[] {
  const { allowedHosts = [], substituteIn } = secretLimits(form);
  return [
    ...["oc", "secret", "set", ownerId, form.name || "NAME", "--from-stdin"],
    ...(form.kind === "aws" ? ["--kind", "aws"] : []),
    ...allowedHosts.flatMap((host) => ["--allowed-hosts", host]),
    ...(substituteIn === undefined ? [] : ["--in", substituteIn.join(",")]),
  ];
}
