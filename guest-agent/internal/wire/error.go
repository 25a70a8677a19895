// Package wire holds what every route of the agent shares: the error of a
// response, and reading and writing JSON.
package wire

import (
	"errors"
	"fmt"
	"net/http"
	"syscall"
)

// Code identifies an error for programs. packages/protocol/src/api/errors.ts lists
// all codes of the product; these are the ones that the agent uses.
type Code string

const (
	InvalidRequest           Code = "invalid_request"
	InvalidJSON              Code = "invalid_json"
	LimitExceeded            Code = "limit_exceeded"
	CommandNotFound          Code = "command_not_found"
	WorkingDirectoryNotFound Code = "working_directory_not_found"
	NotAFile                 Code = "not_a_file"
	NotADirectory            Code = "not_a_directory"
	NotFound                 Code = "not_found"
	FileNotFound             Code = "file_not_found"
	SessionNotFound          Code = "session_not_found"
	MethodNotAllowed         Code = "method_not_allowed"
	FileExists               Code = "file_exists"
	BodyTooLarge             Code = "body_too_large"
	DirectoryTooLarge        Code = "directory_too_large"
	TooManyRequests          Code = "too_many_requests"
	InternalError            Code = "internal_error"
	GuestStorageFull         Code = "guest_storage_full"
	IdempotencyKeyReused     Code = "idempotency_key_reused"
	PortNotListening         Code = "port_not_listening"
)

var statuses = map[Code]int{
	InvalidRequest:           http.StatusBadRequest,
	InvalidJSON:              http.StatusBadRequest,
	LimitExceeded:            http.StatusBadRequest,
	CommandNotFound:          http.StatusBadRequest,
	WorkingDirectoryNotFound: http.StatusBadRequest,
	NotAFile:                 http.StatusBadRequest,
	NotADirectory:            http.StatusBadRequest,
	TooManyRequests:          http.StatusTooManyRequests,
	NotFound:                 http.StatusNotFound,
	FileNotFound:             http.StatusNotFound,
	SessionNotFound:          http.StatusNotFound,
	MethodNotAllowed:         http.StatusMethodNotAllowed,
	FileExists:               http.StatusConflict,
	BodyTooLarge:             http.StatusRequestEntityTooLarge,
	DirectoryTooLarge:        http.StatusRequestEntityTooLarge,
	InternalError:            http.StatusInternalServerError,
	GuestStorageFull:         http.StatusInsufficientStorage,
	IdempotencyKeyReused:     http.StatusUnprocessableEntity,
	PortNotListening:         http.StatusBadGateway,
}

// Error is the response of a route that failed. Message names the thing, what was
// expected and what was found.
type Error struct {
	Code    Code
	Message string
}

func (e *Error) Error() string { return e.Message }

// Status returns the HTTP status of the error.
func (e *Error) Status() int {
	if status, known := statuses[e.Code]; known {
		return status
	}
	return http.StatusInternalServerError
}

// Errorf returns an Error with a formatted message.
func Errorf(code Code, format string, values ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, values...)}
}

// FromFileSystem converts an error of an operation on path. An error that is
// already an Error is returned unchanged.
func FromFileSystem(path string, err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	var number syscall.Errno
	if !errors.As(err, &number) {
		return Errorf(InternalError, "%s: %v", path, err)
	}
	switch number {
	case syscall.ENOENT:
		return Errorf(FileNotFound, "%s does not exist", path)
	case syscall.ENOTDIR:
		return Errorf(NotADirectory, "a part of the path %s is not a directory", path)
	case syscall.EISDIR:
		return Errorf(NotAFile, "%s is a directory", path)
	case syscall.EEXIST:
		return Errorf(FileExists, "%s exists already", path)
	case syscall.ENOSPC, syscall.EDQUOT:
		return Errorf(GuestStorageFull, "%s: the disk of the sandbox is full. Delete files and try again", path)
	case syscall.ENAMETOOLONG, syscall.ELOOP, syscall.EINVAL:
		return Errorf(InvalidRequest, "%s is not a usable path: %v", path, number)
	case syscall.EACCES, syscall.EPERM, syscall.EROFS, syscall.EBUSY, syscall.ETXTBSY, syscall.ENXIO, syscall.ENODEV:
		return Errorf(InvalidRequest, "%s cannot be used in this way: %v", path, number)
	default:
		return Errorf(InternalError, "%s: %v", path, number)
	}
}
