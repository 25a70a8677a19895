import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import {
  findSources,
  formatSources,
  parseSourceLines,
  parseSourceStanzas,
  publicSources,
  selectTransportOptions,
} from "./apt-sources.ts";

const stanza = `# A comment
Types: deb deb-src
URIs: http://mirror.example/debian http://second.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/mirror.gpg
`;

describe("parseSourceStanzas", () => {
  test("returns an entry for each address and suite", () => {
    const sources = parseSourceStanzas(stanza);
    assert.equal(sources.length, 4);
    assert.deepEqual(sources[1], {
      uri: "http://mirror.example/debian",
      suite: "bookworm-updates",
      components: ["main", "contrib"],
      signedBy: "/usr/share/keyrings/mirror.gpg",
    });
  });

  test("skips source packages, disabled stanzas and embedded keys", () => {
    assert.deepEqual(parseSourceStanzas(stanza.replace("deb deb-src", "deb-src")), []);
    assert.deepEqual(parseSourceStanzas(`Enabled: no\n${stanza}`), []);
    const embedded = stanza.replace("/usr/share/keyrings/mirror.gpg", "\n -----BEGIN PGP-----\n .");
    assert.equal(parseSourceStanzas(embedded)[0]?.signedBy, undefined);
  });

  test("reads back what formatSources writes", () => {
    assert.deepEqual(parseSourceStanzas(formatSources(publicSources)), publicSources);
  });
});

describe("parseSourceLines", () => {
  test("reads options, suite and components", () => {
    const text =
      "# deb http://no.example x main\ndeb [arch=amd64 signed-by=/k.gpg] http://m.example/d bookworm main contrib # x\ndeb-src http://m.example/d bookworm main\n";
    assert.deepEqual(parseSourceLines(text), [
      {
        uri: "http://m.example/d",
        suite: "bookworm",
        components: ["main", "contrib"],
        signedBy: "/k.gpg",
      },
    ]);
  });
});

describe("findSources", () => {
  async function sourcesOf(files: Record<string, string>) {
    const etc = await mkdtemp(join(tmpdir(), "apt-sources-"));
    try {
      await mkdir(join(etc, "apt/sources.list.d"), { recursive: true });
      for (const [name, text] of Object.entries(files))
        await writeFile(join(etc, "apt", name), text);
      return await findSources(etc);
    } finally {
      await rm(etc, { recursive: true });
    }
  }

  test("uses the host's entries of the guest's release and no others", async () => {
    const sources = await sourcesOf({
      "sources.list":
        "deb http://m.example/debian bookworm main\ndeb http://m.example/x bookworm extra\n",
      "sources.list.d/other.list": "deb http://other.example stable main\n",
      "sources.list.d/security.sources": stanza.replace(
        "bookworm bookworm-updates",
        "bookworm-security",
      ),
      "sources.list.d/ignored.save": "deb http://no.example bookworm main\n",
    });
    assert.deepEqual(
      sources.map(({ uri, suite }) => `${uri} ${suite}`),
      [
        "http://m.example/debian bookworm",
        "http://mirror.example/debian bookworm-security",
        "http://second.example/debian bookworm-security",
      ],
    );
  });

  test("uses Debian's own mirrors on a host of another release, or without apt", async () => {
    const sources = await sourcesOf({
      "sources.list": "deb http://m.example/debian trixie main\n",
    });
    assert.equal(sources, publicSources);
    assert.equal(await findSources("/no/such/directory"), publicSources);
  });
});

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
