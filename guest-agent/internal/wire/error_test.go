package wire

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"syscall"
	"testing"
)

func TestCodesHaveTheStatusThatTheProtocolGivesThem(t *testing.T) {
	text, err := os.ReadFile("../../../packages/protocol/src/api/errors.ts")
	if err != nil {
		t.Fatal(err)
	}
	defined := map[string]string{}
	for _, match := range regexp.MustCompile(`(?m)^  ([a-z_]+): (\d{3}),$`).FindAllStringSubmatch(string(text), -1) {
		defined[match[1]] = match[2]
	}
	for code, status := range statuses {
		if got := strconv.Itoa(status); got != defined[string(code)] {
			t.Errorf("%s has status %s here and %q in the protocol", code, got, defined[string(code)])
		}
	}
}

func TestFromFileSystemNamesTheCause(t *testing.T) {
	cases := []struct {
		err  error
		code Code
	}{
		{syscall.ENOENT, FileNotFound},
		{&os.PathError{Op: "open", Path: "/x", Err: syscall.ENOENT}, FileNotFound},
		{syscall.ENOTDIR, NotADirectory},
		{syscall.EISDIR, NotAFile},
		{syscall.EEXIST, FileExists},
		{syscall.ENOSPC, GuestStorageFull},
		{syscall.EDQUOT, GuestStorageFull},
		{syscall.ELOOP, InvalidRequest},
		{syscall.EACCES, InvalidRequest},
		{syscall.EIO, InternalError},
		{fmt.Errorf("wrapped: %w", Errorf(NotAFile, "x")), NotAFile},
		{fmt.Errorf("anything"), InternalError},
	}
	for _, test := range cases {
		if got := FromFileSystem("/x", test.err).Code; got != test.code {
			t.Errorf("%v became %s, want %s", test.err, got, test.code)
		}
	}
}

func TestStatusOfAnUnknownCodeIsInternal(t *testing.T) {
	if got := Errorf("no_such_code", "x").Status(); got != http.StatusInternalServerError {
		t.Errorf("got %d", got)
	}
}
