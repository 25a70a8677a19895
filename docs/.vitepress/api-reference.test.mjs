// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { renderApiReference } from "./api-reference.mjs";

const operation = {
  summary: "Do it",
  security: [{ apiKey: [] }],
  responses: { 204: { description: "Done" }, default: { description: "An error" } },
};

test("renderApiReference puts each operation on the page of its resource", () => {
  const paths = {
    "/api/sandboxes/{id}/exec/run": { post: operation },
    "/api/sandboxes/{id}": { delete: operation },
  };
  const pages = renderApiReference({ openApi: { paths }, errors: { not_found: 404 } });
  assert.match(pages.get("commands.md") ?? "", /^`POST \/api\/sandboxes\/\{id\}\/exec\/run`$/m);
  assert.match(pages.get("sandboxes.md") ?? "", /^Response 204, without a body\. Done\.$/m);
  assert.match(pages.get("README.md") ?? "", /^\| 404 \| `not_found` \|$/m);
});

test("renderApiReference refuses a path that no page has", () => {
  const openApi = { paths: { "/api/new-things": { get: operation } } };
  assert.throws(() => renderApiReference({ openApi, errors: {} }), /new-things: add a group/);
});
