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

// read streams a regular file. Content-Length is its size when it is opened;
// a file that shrinks meanwhile breaks the answer off instead of padding it.
// Files of the kernel that claim to be empty are sent as long as they are.
func (s *Service) read(response http.ResponseWriter, path string) error {
	file, size, err := openRegular(path)
	if err != nil {
		return err
	}
	defer file.Close()
	header := response.Header()
	header.Set("Content-Type", "application/octet-stream")
	var source io.Reader = file
	if size > 0 {
		header.Set("Content-Length", strconv.FormatInt(size, 10))
		source = io.LimitReader(file, size)
	}
	if _, err := io.Copy(response, source); err != nil {
		log.Printf("sending %s broke off: %v", path, err)
		// The head is out: an aborted connection is the one way left to say so.
		panic(http.ErrAbortHandler)
	}
	return nil
}

// openRegular opens a file for reading. What is not a regular file is refused
// before it is opened, because opening a pipe or a device can block or act.
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
