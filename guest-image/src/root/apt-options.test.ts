import assert from "node:assert/strict";
import { test } from "node:test";
import { selectTransportOptions } from "./apt-options.ts";

test("selectTransportOptions keeps proxies and date checks, and nothing that changes what is installed", () => {
  const kept = [
    'Acquire::http::Proxy "http://proxy.example:3128";',
    'Acquire::https::Verify-Peer "true";',
    'Acquire::Check-Valid-Until "false";',
    'Acquire::ForceIPv4 "true";',
  ];
  const left = [
    'APT::Install-Recommends "1";',
    'Acquire::IndexTargets::deb::Packages::MetaKey "x";',
    'Dir::Etc "etc/apt";',
    'DPkg::Post-Invoke:: "rm -rf /";',
  ];
  assert.deepEqual(selectTransportOptions([...left, ...kept].join("\n")), kept);
});
