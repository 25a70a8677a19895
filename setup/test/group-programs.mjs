// @ts-check
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { projectDirectory } from "../project-steps.mjs";

const directory = join(projectDirectory, ".cache/test-groups");

/** A module of its own: it runs before the test files, which the program imports after it. */
const keepingProgram = `
import { keepSharedInstallation } from "@opencomputer/harness";
keepSharedInstallation();
`;
const endOfSharedInstallation = `
import assert from "node:assert/strict";
import { after } from "node:test";
import { endSharedInstallation } from "@opencomputer/harness";
after(async () => assert.deepEqual(await endSharedInstallation(), []));
`;

/**
 * Lets tests with machines, which wait for responses in time, have the processor first.
 *
 * @param {number} priority
 */
function withPriority(priority) {
  return `data:text/javascript,import { setPriority } from 'node:os'; setPriority(${priority});`;
}

/** Removes the programs of earlier runs. */
export function clearGroupPrograms() {
  rmSync(directory, { recursive: true, force: true });
}

/**
 * Writes a program that imports the files of a group, which so share its
 * process, and returns its path.
 *
 * @param {{ name: string, files: string[] }} group
 * @param {{ sharesInstallation?: boolean, priority?: number }} [options]
 */
export function writeGroupProgram({ name, files }, { sharesInstallation = false, priority } = {}) {
  const path = join(directory, `${name}.test.mjs`);
  const urls = [
    ...(priority === undefined ? [] : [withPriority(priority)]),
    ...files.map((file) => pathToFileURL(join(projectDirectory, file)).href),
  ];
  if (!sharesInstallation) {
    writeProgram(path, importsOf(urls));
    return path;
  }
  const keeping = join(directory, `${name}-kept.mjs`);
  writeProgram(keeping, keepingProgram);
  writeProgram(path, importsOf([pathToFileURL(keeping).href, ...urls]) + endOfSharedInstallation);
  return path;
}

/** @param {string[]} urls */
function importsOf(urls) {
  return urls.map((url) => `import ${JSON.stringify(url)};\n`).join("");
}

/**
 * @param {string} path
 * @param {string} text
 */
function writeProgram(path, text) {
  mkdirSync(directory, { recursive: true });
  writeFileSync(path, text);
}
