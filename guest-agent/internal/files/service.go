package files

import (
	"net/http"

	"opencomputer/guest-agent/internal/account"
)

// Service serves the file routes. Each takes ?path=, absolute or relative to the
// home directory of the sandbox's user.
type Service struct {
	accounts *account.Book
	user     string
}

// NewService returns a Service for files that belong to user.
func NewService(accounts *account.Book, user string) *Service {
	return &Service{accounts: accounts, user: user}
}

// Read serves GET /v1/files with the bytes of a file.
func (s *Service) Read(response http.ResponseWriter, request *http.Request) error {
	path, err := s.path(request)
	if err != nil {
		return err
	}
	return s.read(response, path)
}

// Write serves PUT /v1/files: the body becomes the file.
func (s *Service) Write(response http.ResponseWriter, request *http.Request) error {
	path, err := s.path(request)
	if err != nil {
		return err
	}
	if err := s.write(path, request.Body); err != nil {
		return err
	}
	response.WriteHeader(http.StatusNoContent)
	return nil
}

// Remove serves DELETE /v1/files.
func (s *Service) Remove(response http.ResponseWriter, request *http.Request) error {
	path, err := s.path(request)
	if err != nil {
		return err
	}
	if err := remove(path); err != nil {
		return err
	}
	response.WriteHeader(http.StatusNoContent)
	return nil
}

// List serves GET /v1/files/list.
func (s *Service) List(response http.ResponseWriter, request *http.Request) error {
	path, err := s.path(request)
	if err != nil {
		return err
	}
	return list(response, path)
}

// MakeDirectory serves POST /v1/files/mkdir.
func (s *Service) MakeDirectory(response http.ResponseWriter, request *http.Request) error {
	path, err := s.path(request)
	if err != nil {
		return err
	}
	owner, err := s.accounts.Find(s.user)
	if err != nil {
		return err
	}
	if err := makeDirectory(path, owner); err != nil {
		return err
	}
	response.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Service) path(request *http.Request) (string, error) {
	owner, err := s.accounts.Find(s.user)
	if err != nil {
		return "", err
	}
	return resolvePath(request.URL.Query().Get("path"), owner.Home)
}
