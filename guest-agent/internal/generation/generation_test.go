package generation

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func read(t *testing.T, directory, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(directory, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func open(t *testing.T, directory string) *Publisher {
	t.Helper()
	publisher, err := Open(directory)
	if err != nil {
		t.Fatal(err)
	}
	return publisher
}

func TestOpenCreatesAGenerationOnceForEachBoot(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	open(t, first)
	open(t, second)
	text := read(t, first, textName)
	if !IsID(strings.TrimSuffix(text, "\n")) || text == read(t, second, textName) {
		t.Errorf("the generations are %q and %q", text, read(t, second, textName))
	}
	open(t, first)
	if again := read(t, first, textName); again != text {
		t.Errorf("another agent made %q of %q", again, text)
	}
}

func TestPublishReplacesTheTextAndWritesTheMappedFileInPlace(t *testing.T) {
	directory := t.TempDir()
	publisher := open(t, directory)
	file, err := os.Open(filepath.Join(directory, mappedName))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	mapped, err := syscall.Mmap(int(file.Fd()), 0, idBytes, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(mapped)
	held, err := os.Open(filepath.Join(directory, textName))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	before := read(t, directory, textName)
	for _, want := range []bool{true, false} {
		if changed, err := publisher.Publish("00112233445566778899aabbccddeeff"); err != nil || changed != want {
			t.Fatalf("it has changed: %t, %v; want %t", changed, err, want)
		}
	}
	if want := "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"; string(mapped) != want {
		t.Errorf("mapped are % x", mapped)
	}
	if text := read(t, directory, textName); text != "00112233445566778899aabbccddeeff\n" {
		t.Errorf("the text is %q", text)
	}
	var old [64]byte
	if count, _ := held.Read(old[:]); string(old[:count]) != before {
		t.Errorf("who reads the former file finds %q", old[:count])
	}
}

func TestIsIDRefusesOtherTexts(t *testing.T) {
	for _, text := range []string{"", "0", strings.Repeat("0", 31), strings.Repeat("0", 34), strings.Repeat("A", 32), strings.Repeat("g", 32)} {
		if IsID(text) {
			t.Errorf("%q is taken", text)
		}
		if _, err := open(t, t.TempDir()).Publish(text + "\n"); err == nil {
			t.Errorf("%q is published", text)
		}
	}
}
