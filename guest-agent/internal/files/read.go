package files

import (
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"syscall"

	"opencomputer/guest-agent/internal/wire"
)

// read streams a regular file. Content-Length is its size when it is opened; if
// the file shrinks meanwhile, the response is aborted instead of padded. Files of
// the kernel whose size is reported as 0 are sent to their end.
func (s *Service) read(response http.ResponseWriter, path string) error {
	file, size, err := openRegular(path)
	if err != nil {
		return err
	}
	defer file.Close()
	header := response.Header()
	header.Set("Content-Type", "application/byte-stream")
	var source io.Reader = file
	if size > 0 {
		header.Set("Content-Length", strconv.FormatInt(size, 10))
		source = io.LimitReader(file, size)
	}
	if _, err := io.Copy(response, source); err != nil {
		log.Printf("cannot complete sending %s: %v", path, err)
		// The head was sent: only an aborted connection can report the error.
		panic(http.ErrAbortHandler)
	}
	return nil
}

// openRegular opens a regular file for reading. Others are refused before they
// are opened, because opening a pipe or a device can block or have effects.
func openRegular(path string) (*os.File, int64, error) {
	information, err := os.Stat(path)
	if err != nil {
		return nil, 0, wire.FromFileSystem(path, err)
	}
	if err := checkRegular(path, information); err != nil {
		return nil, 0, err
	}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, 0, wire.FromFileSystem(path, err)
	}
	opened, err := file.Stat()
	if err == nil {
		err = checkRegular(path, opened)
	}
	if err != nil {
		file.Close()
		return nil, 0, wire.FromFileSystem(path, err)
	}
	return file, opened.Size(), nil
}

func checkRegular(path string, information os.FileInfo) error {
	switch {
	case information.IsDir():
		return wire.Errorf(wire.NotAFile, "%s is a directory, expected a file", path)
	case !information.Mode().IsRegular():
		return wire.Errorf(wire.NotAFile, "%s is a device, pipe or socket, expected a file", path)
	default:
		return nil
	}
}
