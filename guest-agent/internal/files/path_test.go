package files

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestResolvePathStartsRelativeOnesAtHome(t *testing.T) {
	cases := map[string]string{
		"file":           "/home/sandbox/file",
		"./a//b/":        "/home/sandbox/a/b",
		"../other":       "/home/other",
		"../../../../..": "/",
		"/etc/../tmp/x":  "/tmp/x",
		"~":              "/home/sandbox/~",
	}
	for path, want := range cases {
		if got, err := resolvePath(path, "/home/sandbox"); err != nil || got != want {
			t.Errorf("%q became %q, %v, want %q", path, got, err, want)
		}
	}
}

func FuzzResolvePath(f *testing.F) {
	f.Add("a/../../b")
	f.Add("/\x00")
	f.Add(strings.Repeat("../", 2000))
	f.Fuzz(func(t *testing.T, path string) {
		got, err := resolvePath(path, "/home/sandbox")
		if err != nil {
			return
		}
		if !filepath.IsAbs(got) || got != filepath.Clean(got) || strings.IndexByte(got, 0) >= 0 {
			t.Errorf("%q became %q, which is not a clean absolute path", path, got)
		}
	})
}
