package server

import (
	"net/http/httptest"
	"strings"
	"testing"

	"opencomputer/guest-agent/internal/account"
	"opencomputer/guest-agent/internal/files"
)

func respond(method, path string) *httptest.ResponseRecorder {
	service := files.NewService(account.NewBook("/etc/passwd", "/etc/group"), "root")
	response := httptest.NewRecorder()
	New("", Parts{Version: "1.2.3", Files: service}).Handler.ServeHTTP(response, httptest.NewRequest(method, path, nil))
	return response
}

func TestHealthReturnsTheVersion(t *testing.T) {
	response := respond("GET", "/v1/health")
	if response.Code != 200 || response.Body.String() != `{"version":"1.2.3"}` {
		t.Errorf("got %d %s", response.Code, response.Body)
	}
}

func TestUnknownRouteIsNotFound(t *testing.T) {
	response := respond("GET", "/v2/health")
	if response.Code != 404 || !strings.Contains(response.Body.String(), `"code":"not_found"`) {
		t.Errorf("got %d %s", response.Code, response.Body)
	}
}

func TestSyncRespondsWithoutContent(t *testing.T) {
	response := respond("POST", "/v1/sync")
	if response.Code != 204 || response.Body.Len() != 0 {
		t.Errorf("got %d %s", response.Code, response.Body)
	}
}

func TestWrongMethodListsTheAllowedOnes(t *testing.T) {
	response := respond("POST", "/v1/files")
	if response.Code != 405 || !strings.Contains(response.Body.String(), `"code":"method_not_allowed"`) {
		t.Errorf("got %d %s", response.Code, response.Body)
	}
	if got := response.Header().Get("Allow"); got != "DELETE, GET, PUT" {
		t.Errorf("Allow is %q", got)
	}
}
