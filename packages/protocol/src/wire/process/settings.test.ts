import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { limits } from "../../api/limits.ts";
import { egressHostsSchema, readSettings, SettingsError, settingSchemas } from "./settings.ts";

describe("readSettings", () => {
  test("gives the defaults for an empty environment", () => {
    assert.deepEqual(readSettings(settingSchemas, {}), {
      OPENCOMPUTER_DATA_DIR: "/var/lib/opencomputer",
      OPENCOMPUTER_HOST: "127.0.0.1",
      OPENCOMPUTER_PORT: 8080,
      OPENCOMPUTER_SANDBOX_DOMAIN: "sandbox.localhost",
      OPENCOMPUTER_SANDBOXES_PER_ORG_MAX: 200,
      OPENCOMPUTER_EVENTS_DAYS_MAX: 30,
      OPENCOMPUTER_EVENTS_PER_ORG_MAX: 250_000,
      OPENCOMPUTER_WEBHOOK_ADDRESSES: [],
      OPENCOMPUTER_API_BODY_BYTES_MAX: 1024 * 1024,
      OPENCOMPUTER_API_HEADER_BYTES_MAX: 32 * 1024,
      OPENSANDBOX_SECRET_ENCRYPTION_KEY_PREVIOUS: [],
      OPENCOMPUTER_ALLOWED_HOSTS: [],
      OPENCOMPUTER_CORS_ORIGINS: [],
      OPENCOMPUTER_TRUST_FORWARDED: false,
      OPENCOMPUTER_SUBSTITUTE_IN: ["header", "body"],
      OPENCOMPUTER_EGRESS_HOSTS: [],
      OPENCOMPUTER_EGRESS_DENY: [],
      OPENCOMPUTER_EGRESS_LOG_DAYS_MAX: 7,
      OPENCOMPUTER_EGRESS_NO_PROXY: { hostPatterns: [], ranges: [] },
      OPENCOMPUTER_EGRESS_PROXY_PROCESSES: 1,
      OPENCOMPUTER_LOG_LEVEL: "info",
      OPENCOMPUTER_INSPECT: [],
      OPENCOMPUTER_ACCEL: "auto",
      OPENCOMPUTER_ALLOW_UNLIMITED: false,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "http/protobuf",
      OTEL_EXPORTER_OTLP_HEADERS: {},
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: {},
      OTEL_EXPORTER_OTLP_TIMEOUT: 10_000,
      OTEL_TRACES_SAMPLER: "parentbased_always_on",
      OTEL_TRACES_SAMPLER_ARG: 1,
      OTEL_RESOURCE_ATTRIBUTES: {},
      OTEL_SDK_DISABLED: false,
    });
  });

  test("takes an empty variable as absent", () => {
    assert.equal(readSettings(settingSchemas, { OPENCOMPUTER_PORT: "" }).OPENCOMPUTER_PORT, 8080);
  });

  for (const url of ["https://oc.example.com", "http://10.0.0.1:8080", "https://example.com/oc"]) {
    test(`takes OPENCOMPUTER_PUBLIC_URL=${url} as it is`, () => {
      const settings = readSettings(settingSchemas, { OPENCOMPUTER_PUBLIC_URL: url });
      assert.equal(settings.OPENCOMPUTER_PUBLIC_URL, url);
    });
  }

  const malformed: [string, string][] = [
    ["OPENCOMPUTER_DATA_DIR", "relative/path"],
    ["OPENCOMPUTER_HOST", "not a host"],
    ["OPENCOMPUTER_PORT", "0"],
    ["OPENCOMPUTER_PORT", "eighty"],
    ["OPENCOMPUTER_METRICS_PORT", "65536"],
    ["OPENCOMPUTER_API_KEY", "osb_short"],
    ["DATABASE_URL", "mysql://localhost/x"],
    ["OPENSANDBOX_SECRET_ENCRYPTION_KEY", "abc123-too-short"],
    ["OPENCOMPUTER_SANDBOX_DOMAIN", "Not A Domain"],
    ["OPENCOMPUTER_SANDBOXES_PER_ORG_MAX", "0"],
    ["OPENCOMPUTER_SANDBOXES_PER_ORG_MAX", "many"],
    ["OPENCOMPUTER_DISK_MB_PER_ORG_MAX", "20479"],
    ["OPENCOMPUTER_DISK_MB_PER_ORG_MAX", "1TB"],
    ["OPENCOMPUTER_SANDBOXES_PER_KEY_MAX", "0"],
    ["OPENCOMPUTER_SANDBOXES_PER_KEY_MAX", "1e3"],
    ["OPENCOMPUTER_REQUESTS_PER_SECOND_MAX", "0.5"],
    ["OPENCOMPUTER_EVENTS_DAYS_MAX", "0"],
    ["OPENCOMPUTER_EVENTS_PER_ORG_MAX", "all"],
    ["OPENCOMPUTER_WEBHOOK_ADDRESSES", "private"],
    ["OPENCOMPUTER_API_BODY_BYTES_MAX", "1MiB"],
    ["OPENCOMPUTER_API_BODY_BYTES_MAX", "1000"],
    ["OPENCOMPUTER_API_HEADER_BYTES_MAX", "1048577"],
    ["OPENCOMPUTER_PUBLIC_URL", "oc.example.com"],
    ["OPENCOMPUTER_PUBLIC_URL", "ftp://oc.example.com"],
    ["OPENCOMPUTER_PUBLIC_URL", "https://oc.example.com/"],
    ["OPENCOMPUTER_PUBLIC_URL", "https://oc.example.com/?a=b"],
    ["OPENCOMPUTER_PUBLIC_URL", "https://user:password@oc.example.com"],
    ["OPENSANDBOX_SECRET_ENCRYPTION_KEY_PREVIOUS", `${"ab".repeat(32)},cd`],
    ["OPENCOMPUTER_CORS_ORIGINS", "*"],
    ["OPENCOMPUTER_CORS_ORIGINS", "null"],
    ["OPENCOMPUTER_CORS_ORIGINS", "app.example.com"],
    ["OPENCOMPUTER_CORS_ORIGINS", "https://*.example.com"],
    ["OPENCOMPUTER_CORS_ORIGINS", "https://app.example.com/"],
    ["OPENCOMPUTER_CORS_ORIGINS", "https://app.example.com:443"],
    ["OPENCOMPUTER_CORS_ORIGINS", "https://user@app.example.com"],
    ["OPENCOMPUTER_CORS_ORIGINS", "chrome-extension://abc"],
    ["OPENCOMPUTER_CORS_ORIGINS", "https://app.example.com/path,http://localhost:3000"],
    ["OPENCOMPUTER_ALLOWED_HOSTS", "oc.internal,*"],
    ["OPENCOMPUTER_ALLOWED_HOSTS", "http://oc.internal"],
    ["OPENCOMPUTER_ALLOWED_HOSTS", "oc.internal:8080"],
    ["OPENCOMPUTER_TRUST_FORWARDED", "yes"],
    ["OPENCOMPUTER_SUBSTITUTE_IN", "header,cookie"],
    ["OPENCOMPUTER_SUBSTITUTE_IN", " , "],
    ["OPENCOMPUTER_EGRESS_HOSTS", "api.example.test"],
    ["OPENCOMPUTER_EGRESS_DENY", "203.0.113.0/33"],
    ["OPENCOMPUTER_EGRESS_DENY", "internal.test"],
    ["OPENCOMPUTER_EGRESS_DENY", Array(257).fill("9.9.9.9").join(",")],
    ["OPENCOMPUTER_EGRESS_CA_FILE", "ca.pem"],
    ["OPENCOMPUTER_EGRESS_RESOLV_CONF", "resolv.conf"],
    ["OPENCOMPUTER_EGRESS_PROXY_PROCESSES", "0"],
    ["OPENCOMPUTER_EGRESS_PROXY_PROCESSES", "33"],
    ["OPENCOMPUTER_LOG_LEVEL", "verbose"],
    ["OPENCOMPUTER_INSPECT", "control-plane,database"],
    ["OPENCOMPUTER_ACCEL", "xen"],
  ];
  for (const [name, value] of malformed) {
    test(`refuses ${name}=${value}, names it and keeps its value to itself`, () => {
      assert.throws(
        () => readSettings(settingSchemas, { [name]: value }),
        (error) => error instanceof SettingsError && error.message.includes(name),
      );
    });
  }

  test("does not print a secret that is malformed", () => {
    const value = "0123456789-not-hexadecimal";
    assert.throws(
      () => readSettings(settingSchemas, { OPENSANDBOX_SECRET_ENCRYPTION_KEY: value }),
      (error) => error instanceof Error && !error.message.includes(value),
    );
  });
});

describe("OPENCOMPUTER_EGRESS_HOSTS", () => {
  test("reads hosts with and without a port of the guest's, IPv4 and IPv6", () => {
    assert.deepEqual(
      egressHostsSchema.parse("API.example.test=127.0.0.1:8443, plain.test:80=[fd00::1]:8080,"),
      [
        { host: "api.example.test", guestPort: null, address: "127.0.0.1", port: 8443 },
        { host: "plain.test", guestPort: 80, address: "fd00::1", port: 8080 },
      ],
    );
  });
  for (const text of [
    "a.test=1.2.3.4",
    "a.test=b.test:80",
    "a.test=999.2.3.4:80",
    "a.test=1.2.3.4:99999",
    "a.test:0=1.2.3.4:80",
    "*.a.test=1.2.3.4:80",
    "=1.2.3.4:80",
  ]) {
    test(`refuses ${text}`, () => {
      const parsed = egressHostsSchema.safeParse(text);
      assert.equal(parsed.success, false);
      assert.match(parsed.error?.message ?? "", /host=address:port/);
    });
  }
});

describe("OPENCOMPUTER_EGRESS_DENY", () => {
  test("takes ranges and single addresses of both families", () => {
    assert.deepEqual(
      settingSchemas.OPENCOMPUTER_EGRESS_DENY.parse(
        "203.0.113.0/24, 9.9.9.9,2001:db8::/32,2606:4700::1,",
      ),
      ["203.0.113.0/24", "9.9.9.9/32", "2001:db8::/32", "2606:4700::1/128"],
    );
  });
});

describe("OPENCOMPUTER_SUBSTITUTE_IN", () => {
  const { OPENCOMPUTER_SUBSTITUTE_IN: schema } = settingSchemas;

  test("reads placements in canonical form, each once", () => {
    assert.deepEqual(schema.parse("header:X-API-Key, body:/auth/key,query,,query"), [
      "header:x-api-key",
      "body:/auth/key",
      "query",
    ]);
  });

  test("names the unknown placement, and the number of placements allowed", () => {
    assert.match(schema.safeParse("header,cookie").error?.message ?? "", /cookie.*header:NAME/);
    const fields = (count: number) =>
      Array.from({ length: count }, (_, index) => `body:f${index}`).join(",");
    assert.equal(schema.parse(fields(limits.placementsMax)).length, limits.placementsMax);
    const over = schema.safeParse(fields(limits.placementsMax + 1));
    assert.match(over.error?.message ?? "", /1 to 32 placements.*got 33/);
  });
});
