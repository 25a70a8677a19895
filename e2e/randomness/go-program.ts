import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { DrawingProgram } from "./programs.ts";

const run = promisify(execFile);

const source = `package main

import (
	cryptorand "crypto/rand"
	"fmt"
	mathrand "math/rand"
	"os"
	"time"
)

var own = mathrand.New(mathrand.NewSource(time.Now().UnixNano()))

func draw() string {
	var bytes [16]byte
	if _, err := cryptorand.Read(bytes[:]); err != nil {
		panic(err)
	}
	return fmt.Sprintf(\`{"crypto/rand":"%x","own generator":"%d"}\`, bytes, own.Int63())
}

func main() {
	draw()
	os.WriteFile("/tmp/ready-go", nil, 0o644)
	for {
		if _, err := os.Stat("/tmp/draw"); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	os.WriteFile("/tmp/new-go", []byte(draw()), 0o644)
	os.Rename("/tmp/new-go", "/tmp/drawn-go")
}
`;

export const goProgram: Omit<DrawingProgram, "source"> = {
  name: "go",
  command: "/tmp/program-go",
  renewed: ["crypto/rand"],
  kept: ["own generator"],
};

/** Compiles the program on the host, for a guest that has no Go. */
export async function buildGoProgram(): Promise<Uint8Array> {
  const directory = await mkdtemp(join(tmpdir(), "opencomputer-go-"));
  try {
    await writeFile(join(directory, "main.go"), source);
    const environment = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=mod", GOWORK: "off" };
    const path = `${process.env["PATH"]}:/usr/local/go/bin:/usr/lib/go/bin`;
    await run("go", ["build", "-trimpath", "-o", "program", "main.go"], {
      cwd: directory,
      env: { ...environment, PATH: path },
    });
    return await readFile(join(directory, "program"));
  } finally {
    await rm(directory, { recursive: true });
  }
}
