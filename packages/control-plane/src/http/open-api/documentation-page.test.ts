import assert from "node:assert/strict";
import { test } from "node:test";
import { renderDocumentationPage } from "./documentation-page.ts";

test("renderDocumentationPage shows texts as they are and never as HTML", () => {
  const hostile = `<script>alert("x")</script>&`;
  const page = renderDocumentationPage({
    info: { title: hostile, description: hostile },
    paths: {
      [hostile]: {
        get: {
          summary: hostile,
          parameters: [{ name: hostile, in: "query", schema: { description: hostile } }],
          responses: { 200: { description: hostile, content: { [hostile]: { schema: hostile } } } },
          security: [{ [hostile]: [] }],
        },
      },
    },
  });
  assert.ok(!page.includes("<script"));
  assert.ok(page.includes("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;"));
});

test("renderDocumentationPage refuses what is no OpenAPI document", () => {
  assert.throws(() => renderDocumentationPage({ paths: [] }));
});
